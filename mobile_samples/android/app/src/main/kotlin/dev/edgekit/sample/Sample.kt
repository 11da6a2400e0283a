package dev.edgekit.sample

import java.io.InputStream
import java.util.Properties

/** A file of the bundle: in which asset pack it lies, or "" for the app's own assets. */
class Piece(val pack: String, val size: Long, val path: String)

/** What `edgekit sample` wrote of the bundle: sample.properties, and files.txt with a line for each file. */
class Sample(properties: InputStream, files: InputStream) {
    private val of = Properties().apply { load(properties.reader()) }
    val name: String = get("name")
    val sha256: String = get("sha256")

    /** "chat" or "classify". */
    val does: String = get("does")

    /** Of the AAR, which GenAI's library does not tell; null where the bundle needs none. */
    val genai: String? = get("genai").ifEmpty { null }
    val pieces: List<Piece> = files.reader().readLines().filter { it.isNotEmpty() }.map { line ->
        val (pack, size, path) = line.split('\t')
        Piece(pack, size.toLong(), path)
    }
    val packs: List<String> = pieces.map { it.pack }.distinct().filter { it.isNotEmpty() }

    operator fun get(key: String): String = of.getProperty(key, "")
}

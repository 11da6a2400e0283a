package dev.edgekit.sample

import java.io.File
import java.io.IOException
import java.io.InputStream

/** There is not the room for the model: [needed] bytes in [free]. */
class NoRoom(val needed: Long, val free: Long) :
    IOException("the model needs ${needed / 1_000_000} MB, and ${free / 1_000_000} MB are free")

/**
 * Brings a bundle's files together in one folder, each whole or not there: the engines read no weights outside their
 * model's folder, and a bundle of several packs lies in as many. What is there already, after a death too, stays.
 */
class Gathering(private val to: File, private val pieces: List<Piece>, private val free: (File) -> Long) {
    private fun missing() = pieces.filter { File(to, it.path).length() != it.size || !File(to, it.path).isFile }

    val complete: Boolean get() = missing().isEmpty()

    /** The packs of which something is missing, in their order. */
    val packs: List<String> get() = missing().map { it.pack }.distinct()

    /** Throws NoRoom, before the first byte, where what is missing would not fit with [spare] bytes to go. */
    fun check(spare: Long = 100_000_000) {
        to.mkdirs()
        val needed = missing().sumOf { it.size } + spare
        if (free(to) < needed) throw NoRoom(needed, free(to))
    }

    /** Take what is missing of a pack; [open] gives the bytes of a path of the bundle. */
    fun take(pack: String, open: (String) -> InputStream) = missing().filter { it.pack == pack }.forEach { piece ->
        val place = File(to, piece.path)
        val part = File(place.parentFile!!.apply { mkdirs() }, place.name + ".part")
        open(piece.path).use { source -> part.outputStream().use { sink -> source.copyTo(sink, 1 shl 20) } }
        if (part.length() != piece.size || !part.renameTo(place)) throw IOException("${piece.path} cannot be written")
    }
}

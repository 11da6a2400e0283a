// What of the Android sample needs no Android, asked from Python: a line of words in, a line out.
package dev.edgekit.sample

import edgekit.Message
import edgekit.ModelBundle
import edgekit.Options
import edgekit.Event
import edgekit.Settings
import edgekit.Tensor
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking

private fun sample(folder: String) =
    Sample(File(folder, "sample.properties").inputStream(), File(folder, "files.txt").inputStream())

/** The pixels that a net is given of a picture of ARGB, with its new width and height: hexadecimal. */
private fun given(folder: String, library: String, argb: String, width: Int, orientation: Int): String = runBlocking {
    val pixels = Pixels(argb.split(',').map { it.toLong(16).toInt() }.toIntArray(), width, orientation)
    val picture = Tensor(pixels.format, pixels.height.toLong(), pixels.width.toLong(), data = pixels.bytes)
    ModelBundle.open(File(folder), Options(library = library)).use { bundle ->
        val made = bundle.infer(mapOf("x" to picture), mapOf("y" to null))["y"]!!
        val bytes = ByteArray(made.data.remaining()).also { made.data.get(it) }
        "${made.shape[2]} ${made.shape[1]} ${bytes.joinToString("") { "%02x".format(it) }}"
    }
}

private fun gather(assets: String, from: String, to: String, free: Long, most: Int): String {
    val gathering = Gathering(File(to), sample(assets).pieces) { free }
    try {
        gathering.check(spare = 0)
    } catch (why: NoRoom) {
        return "no room ${why.needed} ${why.free}"
    }
    val packs = gathering.packs
    for (pack in packs.take(most)) gathering.take(pack) { File("$from/$pack", it).inputStream() }
    return "${packs.joinToString(",")} ${gathering.complete}"
}

/** Three turns: seen, hidden in mid-answer, and after the weights went; with what preflight says is mapped before each. */
private fun keep(folder: String, library: String): String = runBlocking {
    val keeper = Keeper(CoroutineScope(Dispatchers.Default), finishMs = 60_000, graceMs = 0)
    val bundle = ModelBundle.open(File(folder), Options(library = library))
    keeper.bundle = bundle
    val chat = bundle.conversation(settings = Settings(maxTokens = 12, temperature = 0.0, topP = 1.0))
    val told = mutableListOf<String>()
    suspend fun turn(text: String) {
        told += "mapped ${bundle.preflight(10).mapped > 0}"
        chat.send(text).collect { if (it is Event.Done) told += "reused ${it.reused > 0} loaded ${it.loaded}" }
    }
    keeper.answer { turn("the hand") }.join()
    val second = keeper.answer { turn("and the can") }
    keeper.hidden().join() // which waits for its end
    told += "over ${second.isCompleted && !second.isCancelled}"
    keeper.shown()
    keeper.background().join()
    keeper.answer { turn("on") }.join()
    val endless = keeper.answer { bundle.answer(listOf(Message("user", "the")), Settings(maxTokens = 4000)).collect {} }
    keeper.background().join()
    told += "cancelled ${endless.isCancelled}"
    bundle.close()
    keeper.hidden().join() // of a bundle that is closed there is nothing to give back
    (told + Message.save(chat.history)).joinToString("\t")
}

public fun main() {
    generateSequence(::readLine).forEach { line ->
        val words = line.split('\t')
        println(
            when (words[0]) {
                "given" -> given(words[1], words[2], words[3], words[4].toInt(), words[5].toInt())
                "gather" -> gather(words[1], words[2], words[3], words[4].toLong(), words[5].toInt())
                "ending" -> Endings.told(words[1].toInt(), words[2].toInt(), words[3].ifEmpty { null }, words[4].ifEmpty { null })
                else -> keep(words[1], words[2])
            },
        )
    }
}

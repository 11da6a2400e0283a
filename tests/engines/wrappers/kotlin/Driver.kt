// The Kotlin face as a process: a request as JSON a line of stdin, an answer as JSON a line of the file that is named.
// {"value": ...}, {"refused": {code, message, next, axis}}; anything else ends the process.
package edgekit

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.concurrent.thread
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

private val bundles = HashMap<Long, ModelBundle>()
private val chats = HashMap<Long, Conversation>()

internal fun main(words: Array<String>) {
    File(words[0]).outputStream().writer().use { answers ->
        for (line in System.`in`.bufferedReader().lineSequence()) {
            val request = Asked(Json.read(line) as Map<*, *>)
            val answer = try {
                mapOf("value" to runBlocking { serve(request) })
            } catch (why: Refused) {
                val told = mapOf("code" to why.code, "message" to why.message, "next" to why.next, "axis" to why.axis)
                mapOf("refused" to told)
            }
            answers.write(Json.write(answer) + "\n")
            answers.flush()
        }
    }
}

private class Asked(private val fields: Map<*, *>) {
    val bundle get() = bundles.getValue(long("bundle")!!)
    val chat get() = chats.getValue(long("chat")!!)
    operator fun get(name: String): Any? = fields[name]
    fun text(name: String) = fields[name] as String?
    fun long(name: String) = fields[name] as Long?
    fun int(name: String) = long(name)?.toInt()
    fun real(name: String) = (fields[name] as Number?)?.toDouble()
    fun json(name: String) = fields[name]?.let(Json::write)
    fun texts(name: String) = (fields[name] as List<*>?)?.map { it as String }
    fun part(name: String) = Asked(fields[name] as Map<*, *>)
    val settings get() = Settings(
        int("max_tokens"), json("tools"), text("call"), json("json_schema"), texts("stop"), real("temperature"),
        int("top_k"), real("top_p"), real("min_p"), real("repetition_penalty"), long("seed"),
        fields["think"] as Boolean?,
    )
    val messages get() = json("messages")?.let(Message::restore)
}

private suspend fun serve(asked: Asked): Any? = when (val what = asked.text("do")!!) {
    "open" -> ModelBundle.open(File(asked.text("folder")!!), options(asked)).let { bundle ->
        bundles.size.toLong().also { bundles[it] = bundle }
    }
    "close" -> asked.bundle.close().let { null }
    "facts" -> asked.bundle.facts().let { facts ->
        mapOf(
            "kind" to facts.kind, "variant" to facts.variant, "ep" to facts.ep, "engines" to facts.engines,
            "can" to facts.can, "slots" to facts.slots,
            "max_length" to facts.maxLength, "cache_bytes" to facts.cacheBytes,
        )
    }
    "preflight" -> preflight(asked).let { told ->
        mapOf(
            "tokens" to told.tokens, "anon" to told.anon, "mapped" to told.mapped, "kv" to told.kv,
            "free" to told.free, "limit" to told.limit, "fits" to told.fits, "why" to told.why,
        )
    }
    "answer" -> answer(asked)
    "request" -> asked.bundle.respond(asked.json("request")!!.toByteArray()).events.toList().map(::event)
    "two" -> two(asked)
    "leave" -> asked.bundle.answer(asked.messages!!, asked.settings).take(asked.int("events")!!).toList().map(::event)
    "cancel" -> cancelled(asked)
    "slow" -> respond(asked).events.onEach { delay(asked.long("ms")!!) }.toList().map(::event)
    "trim" -> asked.bundle.trim(Part.valueOf(asked.text("what")!!.uppercase()))
    "infer" -> infer(asked)
    "large" -> large(asked)
    "classify" -> classify(asked)
    "chat" -> asked.bundle.conversation(asked.messages.orEmpty(), asked.settings).let { chat ->
        chats.size.toLong().also { chats[it] = chat }
    }
    "send" -> told(asked.chat.send(asked.text("text")!!), asked)
    "reply" -> told(asked.chat.reply(asked.text("id")!!, asked.text("json")!!), asked)
    "history" -> Json.Raw(Message.save(asked.chat.history))
    "readme" -> Json.Raw(readme(asked.text("folder")!!))
    "java" -> Heard.of(asked.bundle, asked.text("text")!!)
    "cycles" -> cycles(asked)
    else -> error("there is no $what")
}

private fun options(asked: Asked) = Options(
    verify = asked["verify"] == true, foreign = asked["foreign"] == true, lazy = asked["lazy"] == true,
    slots = asked.int("slots") ?: 1, piece = asked.int("piece") ?: 0, variant = asked.text("variant"),
    library = asked.text("library"),
)

private suspend fun preflight(asked: Asked): Preflight {
    val messages = asked.messages ?: return asked.bundle.preflight(asked.long("tokens")!!, asked.settings)
    return asked.bundle.preflight(messages, asked.settings)
}

private fun event(event: Event): Map<String, Any?> = when (event) {
    is Event.Progress -> mapOf("kind" to "progress", "read" to event.read, "of" to event.of)
    is Event.Text -> mapOf("kind" to "text", "text" to event.text)
    is Event.Thought -> mapOf("kind" to "thought", "text" to event.text)
    is Event.ToolCall -> mapOf("kind" to "call", "id" to event.id, "name" to event.name, "arguments" to event.arguments)
    is Event.Done -> mapOf(
        "kind" to "done", "reason" to event.reason, "prompt_tokens" to event.promptTokens, "tokens" to event.tokens,
        "reused" to event.reused, "loaded" to event.loaded, "ttft_ms" to event.ttftMs, "decode_tps" to event.decodeTps,
    )
}

private suspend fun respond(asked: Asked): Run {
    val request = asked.part("request")
    val messages = request.messages ?: return asked.bundle.respond(request.text("prompt")!!, request.settings)
    return asked.bundle.respond(messages, request.settings)
}

/** Everything that is told; another thread cancels once `pieces` of the prompt and `chars` of the text were. */
private suspend fun answer(asked: Asked): List<Map<String, Any?>> {
    val told = ArrayList<Event>()
    respond(asked).use { run ->
        do {
            told.add(run.next())
            val pieces = told.count { it is Event.Progress }
            val chars = told.sumOf { if (it is Event.Text) it.text.codePointCount(0, it.text.length) else 0 }
            val due = pieces >= (asked.int("pieces") ?: Int.MAX_VALUE) && chars >= (asked.int("chars") ?: Int.MAX_VALUE)
            if (due) thread { run.cancel() }.join()
        } while (told.last() !is Event.Done)
        check(run.next() == told.last())
    }
    return told.map(::event)
}

/** Two answers at once; the later one is read first. */
private fun two(asked: Asked): List<String> {
    val runs = runBlocking { List(2) { asked.bundle.respond(asked.messages!!, asked.settings) } }
    return runBlocking(Dispatchers.Default) {
        val later = async(start = CoroutineStart.UNDISPATCHED) { text(runs[1].events) } // waits for its first event now
        listOf(text(runs[0].events), later.await())
    }
}

private suspend fun text(events: Flow<Event>): String =
    events.toList().filterIsInstance<Event.Text>().joinToString("") { it.text }

/** Cancel the coroutine that collects, after its first text or, in the prompt, its first progress. */
private fun cancelled(asked: Asked): Boolean = runBlocking(Dispatchers.Default) {
    val begun = CompletableDeferred<Unit>()
    val collector = launch {
        asked.bundle.answer(asked.messages!!, asked.settings).collect {
            if (it is Event.Text || asked["in_prompt"] == true) begun.complete(Unit)
        }
    }
    begun.await()
    collector.cancelAndJoin()
    collector.isCancelled
}

/** The events of a turn, or its first `events`. */
private suspend fun told(turn: Flow<Event>, asked: Asked): List<Map<String, Any?>> =
    (asked.int("events")?.let { turn.take(it) } ?: turn).toList().map(::event)

private suspend fun infer(asked: Asked): Map<String, Any> {
    val made = asked.bundle.infer(tensors(asked["inputs"]).mapValues { it.value!! }, tensors(asked["outputs"]))
    return made.mapValues { (_, tensor) ->
        val bytes = ByteArray(tensor.data.remaining()).also { tensor.data.duplicate().get(it) }
        val data = Base64.getEncoder().encodeToString(bytes)
        mapOf("type" to tensor.type, "shape" to tensor.shape.toList(), "data" to data)
    }
}

/** As many floats through a net that gives back what it is fed, from memory of ours into memory of ours. */
private suspend fun large(asked: Asked): Boolean {
    val count = asked.int("floats")!!
    val (x, y) = List(2) { ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder()) }
    for (at in 0 until count) x.putFloat(4 * at, at.toFloat())
    val (read, made) = listOf(x, y).map { Tensor("float32", 1, 1, 1, count.toLong(), data = it) }
    asked.bundle.infer(mapOf("x" to read), mapOf("y" to made))
    return x == y
}

private suspend fun classify(asked: Asked): List<Any> {
    val pixels = buffer(Base64.getDecoder().decode(asked.text("pixels")!!), true)
    val (width, height, top) = listOf("width", "height", "top").map { asked.int(it)!! }
    val told = asked.bundle.classify(pixels, width, height, top, asked.text("format") ?: "rgb8")
    return told.map { mapOf("index" to it.index, "label" to it.label, "score" to it.score) }
}

private fun tensors(told: Any?): Map<String, Tensor?> = (told as Map<*, *>).entries.associate { (name, tensor) ->
    val fields = (tensor as Map<*, *>?)?.let(::Asked)
    name as String to fields?.let {
        val bytes = Base64.getDecoder().decode(it.text("data")!!)
        val shape = (it["shape"] as List<*>).map { size -> size as Long }.toLongArray()
        Tensor(it.text("type")!!, *shape, data = buffer(bytes, it["direct"] != false))
    }
}

private fun buffer(bytes: ByteArray, direct: Boolean): ByteBuffer {
    if (!direct) return ByteBuffer.wrap(bytes)
    val whole = ByteBuffer.allocateDirect(bytes.size + 16).order(ByteOrder.nativeOrder())
    whole.position(8)
    whole.put(bytes).limit(8 + bytes.size).position(8) // not its whole memory: what lies between position and limit
    return whole
}

/** Threads and descriptors of this process before the last half of the rounds, and after them. */
private suspend fun cycles(asked: Asked): List<List<Int>> {
    val rounds = asked.int("rounds")!!
    val counts = ArrayList<List<Int>>()
    for (round in 0..rounds) {
        if (round == rounds / 2 || round == rounds) {
            System.gc()
            Thread.sleep(3000) // idle threads of a face go after two seconds
            counts.add(listOf("task", "fd").map { File("/proc/self/$it").list()!!.size })
        }
        if (round == rounds) break
        ModelBundle.open(File(asked.text("folder")!!), options(asked)).use { bundle ->
            bundle.answer(asked.messages!!, asked.settings).first { it is Event.Text }
        }
    }
    return counts
}

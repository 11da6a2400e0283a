package edgekit

import java.nio.ByteBuffer

/**
 * Why something was not done: [code] is bundle, usage, tool-missing, quality, closed or internal, [next] what to do, and
 * [axis] what of the bundle or the machine is to blame ("abi", "min_onnxruntime" ...); the last two may be empty.
 */
public class Refused(
    public val code: String, override val message: String, public val next: String = "", public val axis: String = "",
) : Exception(message)

/**
 * How a bundle is opened.
 *
 * @property verify compare every byte with the manifest (once, at install), not only the sizes
 * @property foreign run a bundle of another platform on the CPU, for a look at its outputs
 * @property lazy the model is loaded by the first call that needs it
 * @property slots key-value caches that are kept, each of the bundle's max_length; 0: none
 * @property threads of one operator; 0: the engine chooses
 * @property piece tokens of a prompt that are read at once; 0: the library's own number
 * @property variant by name; null: the first that runs here
 * @property onnxruntime,genai the engines' files; null: beside edgekit's library, or in the process already
 * @property genaiVersion which GenAI does not tell; null: as its file is named
 * @property library the file of libedgekit_jni; null: System.loadLibrary finds it
 */
public data class Options @JvmOverloads constructor(
    val verify: Boolean = false, val foreign: Boolean = false, val lazy: Boolean = false,
    val slots: Int = 1, val threads: Int = 0, val piece: Int = 0, val variant: String? = null,
    val onnxruntime: String? = null, val genai: String? = null, val genaiVersion: String? = null,
    val library: String? = null,
) {
    internal fun numbers(): IntArray {
        val flags = listOf(verify, foreign, lazy).withIndex().sumOf { (bit, flag) -> if (flag) 1 shl bit else 0 }
        return intArrayOf(flags, threads, if (slots == 0) -1 else slots, piece)
    }

    internal fun texts(): Array<ByteArray?> =
        listOf(variant, onnxruntime, genai, genaiVersion).map { it?.toByteArray() }.toTypedArray()
}

/** What is told while an answer is made. */
public sealed class Event {
    /** Of the prompt's [of] tokens [read] are read. */
    public data class Progress(val read: Long, val of: Long) : Event()

    /** Whole characters of the answer. */
    public data class Text(val text: String) : Event()
    public data class Thought(val text: String) : Event()

    /** [arguments] is a JSON object. */
    public data class ToolCall(val id: String, val name: String, val arguments: String) : Event()

    /** The last. [reason]: eos, stop, length, max_length or cancelled; [loaded]: the model had to be, for this. */
    public data class Done(
        val reason: String, val promptTokens: Long, val tokens: Long, val reused: Long,
        val ttftMs: Double?, val decodeTps: Double?, val loaded: Boolean,
    ) : Event()
}

/** One message of a conversation. [calls] are an assistant's; [name] is that of the function which a tool's is of. */
public data class Message @JvmOverloads constructor(
    val role: String, val content: String, val calls: List<Event.ToolCall> = emptyList(), val name: String? = null,
) {
    private fun asJson(): Map<String, Any?> {
        val functions = calls.map { mapOf("name" to it.name, "arguments" to Json.Raw(it.arguments)) to it.id }
        val told = functions.map { (function, id) -> mapOf("id" to id, "type" to "function", "function" to function) }
        val all = mapOf("role" to role, "content" to content, "tool_calls" to told.ifEmpty { null }, "name" to name)
        return all.filterValues { it != null }
    }

    public companion object {
        /** Messages as JSON, to be kept. */
        @JvmStatic public fun save(messages: List<Message>): String = Json.write(messages.map { it.asJson() })

        /** What [save] made. */
        @JvmStatic public fun restore(saved: String): List<Message> = (Json.read(saved) as List<*>).map { message ->
            val kept = message as Map<*, *>
            val calls = (kept["tool_calls"] as List<*>?).orEmpty().map { call ->
                val function = (call as Map<*, *>)["function"] as Map<*, *>
                Event.ToolCall(call["id"] as String, function["name"] as String, Json.write(function["arguments"]))
            }
            Message(kept["role"] as String, kept["content"] as String, calls, kept["name"] as String?)
        }
    }
}

/**
 * How an answer is made, as docs/calling.md says; null: as the bundle has it. [tools] is a JSON list of functions,
 * [jsonSchema] a JSON object that the answer has to fit, [call] auto, required or unguided, [speculate] ngram.
 */
public data class Settings @JvmOverloads constructor(
    val maxTokens: Int? = null, val tools: String? = null, val call: String? = null, val jsonSchema: String? = null,
    val stop: List<String>? = null, val temperature: Double? = null, val topK: Int? = null, val topP: Double? = null,
    val minP: Double? = null, val repetitionPenalty: Double? = null, val seed: Long? = null, val think: Boolean? = null,
    val adapter: String? = null, val speculate: String? = null,
) {
    internal fun request(what: String, value: Any): ByteArray = Json.write(
        mapOf(
            what to value, "max_tokens" to maxTokens, "tools" to tools?.let(Json::Raw), "call" to call,
            "json_schema" to jsonSchema?.let(Json::Raw), "stop" to stop, "temperature" to temperature,
            "top_k" to topK, "top_p" to topP, "min_p" to minP, "repetition_penalty" to repetitionPenalty,
            "seed" to seed, "think" to think, "adapter" to adapter,
            "speculate" to speculate,
        ).filterValues { it != null },
    ).toByteArray()

    internal fun request(messages: List<Message>): ByteArray = request("messages", Json.Raw(Message.save(messages)))
}

/** What is open. Each engine has its version and file; [can], [slots], [maxLength] are of a language model alone. */
public class Facts internal constructor(private val told: Map<String, Any?>) {
    public val kind: String by told
    public val variant: String by told
    public val ep: String by told
    public val engines: Map<String, Map<String, String>> by told
    public val can: Map<String, Boolean>? by told.withDefault { null }
    public val slots: Long? by told.withDefault { null }
    public val maxLength: Long? = told["max_length"] as Long?

    /** Of one slot. */
    public val cacheBytes: Long? = told["cache_bytes"] as Long?
    override fun toString(): String = told.toString()
}

/** Bytes that an answer would add to the process's; [fits] is null where the system does not tell what is free. */
public class Preflight internal constructor(private val told: Map<String, Any?>) {
    public val tokens: Long by told
    public val anon: Long by told
    public val mapped: Long by told
    public val kv: Long by told
    public val free: Long? by told
    public val limit: Long? by told
    public val fits: Boolean? by told
    public val why: String by told
    override fun toString(): String = told.toString()
}

/** [data] is direct, in C order and the machine's byte order; from its position to its limit. [type]: "float32", ... */
public class Tensor(public val type: String, public vararg val shape: Long, public val data: ByteBuffer)

/** What a picture may show; [score] is as the model gives it, [label] null where the bundle has none. */
public data class Category(val index: Int, val label: String?, val score: Double)

/** What [ModelBundle.trim] gives back. */
public enum class Part { CACHES, WEIGHTS }

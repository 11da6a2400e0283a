package edgekit

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.suspendCancellableCoroutine

/** An answer that is being made. It waits for its reader; at most 64 events are made ahead. */
public class Run internal constructor(private var handle: Long) : AutoCloseable {
    private val worker = worker("edgekit answer") // its own: to wait for one answer must not stop another's reader
    private val lock = Any() // between `cancel`, which any thread calls, and the end of the handle

    /** The next event; after [Event.Done] it comes again. Cancelling the coroutine cancels the answer. */
    public suspend fun next(): Event = suspendCancellableCoroutine { waiting ->
        waiting.invokeOnCancellation { cancel() }
        worker.execute { waiting.resumeWith(runCatching { read() }) }
    }

    /** Every event that is left; who leaves the loop, or cancels its coroutine, cancels the answer. */
    public val events: Flow<Event> = flow {
        use {
            do {
                val event = next()
                emit(event)
            } while (event !is Event.Done)
        }
    }

    /** End the answer, from any thread; what was made is still told, and the bundle can be asked again at once. */
    public fun cancel(): Unit = synchronized(lock) { if (handle != 0L) Native.cancel(handle) }

    /** Cancel, and let go of it. */
    override fun close() {
        cancel()
        worker.execute { synchronized(lock) { Native.free(handle).also { handle = 0L } } }
    }

    private fun read(): Event {
        if (handle == 0L) throw Refused("closed", "the answer was closed", "ask again")
        val numbers = LongArray(2)
        val texts = arrayOfNulls<ByteArray>(4)
        while (true) when (Native.next(handle, numbers, texts)) {
            0 -> throw Native.refused(texts)
            1 -> return Event.Progress(numbers[0], numbers[1])
            2 -> return Event.Text(texts[0]!!.decodeToString())
            3 -> return Event.Thought(texts[0]!!.decodeToString())
            4 -> return texts.map { it?.decodeToString().orEmpty() }.let { (text, id, name) ->
                Event.ToolCall(id, name, text)
            }
            5 -> return done(Json.readObject(texts[0]))
        } // of others, which a later library may have, this face knows nothing
    }

    private fun done(told: Map<String, Any?>): Event {
        val (prompt, tokens, reused) = listOf("prompt_tokens", "tokens", "reused").map { told[it] as Long }
        val (ttft, tps) = listOf("ttft_ms", "decode_tps").map { (told[it] as Number?)?.toDouble() }
        return Event.Done(told["reason"] as String, prompt, tokens, reused, ttft, tps, told["loaded"] as Boolean)
    }
}

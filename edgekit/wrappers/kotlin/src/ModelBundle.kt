package edgekit

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.FutureTask
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext

/** A dispatcher of one thread, which goes when it has nothing to do and does not keep the process. */
internal fun worker(name: String) = ThreadPoolExecutor(1, 1, 2, TimeUnit.SECONDS, LinkedBlockingQueue()) { task ->
    Thread(task, name).apply { isDaemon = true }
}.apply { allowCoreThreadTimeOut(true) }

/** An open bundle. Everything may be called from any thread; what fails throws [Refused]. */
public class ModelBundle private constructor() : AutoCloseable {
    private val worker = worker("edgekit")
    private val dispatcher = worker.asCoroutineDispatcher()
    private var handle = 0L // of the worker's thread alone

    private suspend fun <T> asked(call: (bundle: Long, why: Array<ByteArray?>) -> T): T = withContext(dispatcher) {
        if (handle == 0L) throw Refused("closed", "the bundle was closed", "open it again")
        Native.asked { call(handle, it) }
    }

    public suspend fun facts(): Facts = Facts(document(null))

    /** Whether there is memory for an answer to so many tokens. */
    public suspend fun preflight(tokens: Long, settings: Settings = Settings()): Preflight =
        Preflight(document(settings.request("tokens", tokens)))

    /** Likewise, to these messages: they load the model, and are refused while an answer is being made. */
    public suspend fun preflight(messages: List<Message>, settings: Settings = Settings()): Preflight =
        Preflight(document(settings.request(messages)))

    private suspend fun document(request: ByteArray?): Map<String, Any?> =
        Json.readObject(asked { bundle, why -> Native.document(bundle, request, why) })

    /** Begin an answer to a whole conversation; what a slot holds of its beginning is not read again. */
    public suspend fun respond(messages: List<Message>, settings: Settings = Settings()): Run =
        respond(settings.request(messages))

    /** Begin an answer to a text without a template. */
    public suspend fun respond(prompt: String, settings: Settings = Settings()): Run =
        respond(settings.request("prompt", prompt))

    /** Begin an answer to a request as edgekit.h has it, a JSON object in UTF-8. */
    public suspend fun respond(request: ByteArray): Run {
        var run: Run? = null
        try {
            asked { bundle, why -> Native.respond(bundle, request, why).let { if (it != 0L) run = Run(it) } }
        } catch (failed: Throwable) { // cancelled meanwhile, too
            run?.close()
            throw failed
        }
        return run!!
    }

    /** The events of [respond]; each collector asks anew. */
    @JvmOverloads
    public fun answer(messages: List<Message>, settings: Settings = Settings()): Flow<Event> =
        flow { emitAll(respond(messages, settings).events) }

    /** A conversation that goes on from [history]. */
    @JvmOverloads
    public fun conversation(history: List<Message> = emptyList(), settings: Settings = Settings()): Conversation =
        Conversation(this, history, settings)

    /** Give memory back: its bytes. What is needed again is loaded by itself; what an answer uses goes at its end. */
    public suspend fun trim(what: Part): Long = asked { bundle, why -> Native.trim(bundle, what.ordinal + 1, why) }

    /** Run a model of tensors once: inputs are read, outputs are written, where they lie; null: in memory of its own. */
    public suspend fun infer(inputs: Map<String, Tensor>, outputs: Map<String, Tensor?>): Map<String, Tensor> {
        val tensors = inputs.values + outputs.values
        tensors.forEach { direct(it?.data) }
        val names: List<ByteArray?> = (inputs.keys.toList() + outputs.keys).map { it.toByteArray() }
        val types = Array(tensors.size) { tensors[it]?.type?.toByteArray() }
        val shapes = Array(tensors.size) { tensors[it]?.shape }
        val buffers = Array(tensors.size) { tensors[it]?.data?.slice() }
        asked { bundle, why ->
            val owned = Native.infer(bundle, inputs.size, names.toTypedArray(), types, shapes, buffers, why)
            for (at in tensors.indices) if (tensors[at] == null) buffers[at] = buffers[at]?.let(::copy)
            Native.freeValues(owned)
        }
        return outputs.keys.withIndex().associate { (output, name) ->
            val at = inputs.size + output
            name to (tensors[at] ?: Tensor(types[at]!!.decodeToString(), *shapes[at]!!, data = buffers[at]!!))
        }
    }

    /**
     * What a picture shows, the best first. [pixels] is direct: rows from the top, each of as many bytes as the next.
     * [pixelFormat] says how they lie, as edgekit.h has it: a Bitmap's are "rgba8 premultiplied", or of its getPixels
     * "bgra8", and " exif-6" behind that where the camera was held so and the decoder did not turn it.
     */
    @JvmOverloads
    public suspend fun classify(
        pixels: ByteBuffer, width: Int, height: Int, top: Int = 5, pixelFormat: String = "rgb8",
    ): List<Category> {
        direct(pixels)
        val (rows, type) = pixels.slice() to pixelFormat.toByteArray()
        val told = Json.readObject(asked { bundle, why -> Native.classify(bundle, rows, type, width, height, top, why) })
        return (told["classes"] as List<*>).map { category ->
            val fields = category as Map<*, *>
            val score = (fields["score"] as Number?)?.toDouble() ?: Double.NaN
            Category((fields["index"] as Long).toInt(), fields["label"] as String?, score)
        }
    }

    private fun direct(buffer: ByteBuffer?) {
        if (buffer?.isDirect != false) return
        throw Refused("usage", "the buffer of a tensor is not direct", "take one of ByteBuffer.allocateDirect")
    }

    private fun copy(lent: ByteBuffer): ByteBuffer =
        ByteBuffer.allocateDirect(lent.capacity()).order(ByteOrder.nativeOrder()).apply { put(lent).flip() }

    /** Cancel what is being answered, wait for its end and let go of the model. Once more does nothing. */
    override fun close() {
        val closing = FutureTask { if (handle != 0L) Native.close(handle).also { handle = 0L } }
        worker.execute(closing)
        try {
            closing.get()
        } catch (interrupted: InterruptedException) {
            Thread.currentThread().interrupt() // it is closed all the same
        }
    }

    public companion object {
        /** Check a bundle's folder, choose the variant that runs here, and load it. */
        public suspend fun open(folder: File, options: Options = Options()): ModelBundle {
            val bundle = ModelBundle()
            val place = folder.absolutePath.toByteArray()
            try {
                withContext(bundle.dispatcher) {
                    Native.load(options.library)
                    bundle.handle = Native.asked { Native.open(place, options.numbers(), options.texts(), it) }
                }
            } catch (failed: Throwable) { // cancelled meanwhile, too
                bundle.close()
                throw failed
            }
            return bundle
        }

        /** The same for Java, on the caller's thread. */
        @JvmStatic
        @JvmOverloads
        public fun openBlocking(folder: File, options: Options = Options()): ModelBundle =
            runBlocking { open(folder, options) }
    }
}

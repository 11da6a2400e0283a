package edgekit

import java.nio.ByteBuffer

private typealias Texts = Array<ByteArray?>

/** jni.cpp, where its functions are told. An app's shrinker has to leave its name, and theirs, as they are. */
internal object Native {
    /** Load the library, from its file or where the system looks. */
    fun load(library: String?) {
        val why = try {
            if (library == null) System.loadLibrary("edgekit_jni") else System.load(library)
            if (fits()) return
            "it is of another version"
        } catch (missing: UnsatisfiedLinkError) {
            missing.message
        }
        val next = "ship libedgekit_jni and libedgekit, of one edgekit and for this machine's ABI"
        throw Refused("tool-missing", "edgekit's library cannot be loaded: $why", next, "abi")
    }

    /** What the call gives, or what it says in the array, thrown. */
    inline fun <T> asked(call: (why: Texts) -> T): T {
        val why: Texts = arrayOfNulls(4)
        return call(why).also { if (why[0] != null) throw refused(why) }
    }

    fun refused(why: Texts): Refused {
        val (code, message, next, axis) = why.map { it?.decodeToString().orEmpty() }
        return Refused(code, message, next, axis)
    }

    @JvmStatic external fun fits(): Boolean
    @JvmStatic external fun open(folder: ByteArray, numbers: IntArray, texts: Texts, why: Texts): Long
    @JvmStatic external fun close(bundle: Long)
    @JvmStatic external fun document(bundle: Long, request: ByteArray?, why: Texts): ByteArray?
    @JvmStatic external fun respond(bundle: Long, request: ByteArray, why: Texts): Long
    @JvmStatic external fun next(run: Long, numbers: LongArray, texts: Texts): Int
    @JvmStatic external fun cancel(run: Long)
    @JvmStatic external fun free(run: Long)
    @JvmStatic external fun trim(bundle: Long, what: Int, why: Texts): Long
    @JvmStatic external fun infer(
        bundle: Long, inputs: Int, names: Texts, types: Texts, shapes: Array<LongArray?>, buffers: Array<ByteBuffer?>,
        why: Texts,
    ): Long
    @JvmStatic external fun classify(
        bundle: Long, pixels: ByteBuffer, format: ByteArray, width: Int, height: Int, top: Int, why: Texts,
    ): ByteArray?
    @JvmStatic external fun freeValues(values: Long)
}

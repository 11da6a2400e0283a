// The way of the Kotlin face into libedgekit: a function for each that it uses of edgekit.h, without rules of its own.
//
// Texts cross as arrays of UTF-8 bytes: in JNI's own strings a NUL or an emoji is other bytes. No class of the face is
// looked up, so that an app's shrinker may rename all but Native. `why` gets an error's code, message, next step, axis.
#include <edgekit.h>
#include <jni.h>

#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

#define FACE(result, name, ...) \
    extern "C" JNIEXPORT result JNICALL Java_edgekit_Native_##name([[maybe_unused]] JNIEnv* env, jclass, __VA_ARGS__)

namespace {

using Bytes = std::vector<char>;

// A copy of an array of bytes; empty for null.
Bytes bytes_of(JNIEnv* env, jobject array) {
    auto* const bytes = static_cast<jbyteArray>(array);
    Bytes copy(bytes ? static_cast<size_t>(env->GetArrayLength(bytes)) : 0);
    if (bytes) {
        env->GetByteArrayRegion(bytes, 0, static_cast<jsize>(copy.size()), reinterpret_cast<jbyte*>(copy.data()));
    }
    return copy;
}

edgekit_text view(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

jbyteArray array_of(JNIEnv* env, edgekit_text text) {
    const auto size = static_cast<jsize>(text.size);
    jbyteArray made = env->NewByteArray(size);
    if (made) env->SetByteArrayRegion(made, 0, size, reinterpret_cast<const jbyte*>(text.data));
    return made;  // null: an OutOfMemoryError is on its way
}

// Null is no object: an exception is on its way.
void put(JNIEnv* env, jobjectArray array, size_t at, jobject made) {
    if (made && !env->ExceptionCheck()) env->SetObjectArrayElement(array, static_cast<jsize>(at), made);
}

void put_texts(JNIEnv* env, jobjectArray array, std::initializer_list<edgekit_text> texts) {
    size_t at = 0;
    for (const edgekit_text& text : texts) {
        if (!env->ExceptionCheck()) put(env, array, at++, array_of(env, text));
    }
}

bool refused(JNIEnv* env, edgekit_error* error, jobjectArray why) {
    if (!error) return false;
    put_texts(env, why, {edgekit_error_code(error), edgekit_error_message(error), edgekit_error_next(error),
                         edgekit_error_axis(error)});
    edgekit_error_free(error);
    return true;
}

// What Java keeps of a pointer is a number.
template <typename Handle>
Handle* pointer(jlong handle) {
    return reinterpret_cast<Handle*>(handle);  // NOLINT(performance-no-int-to-ptr)
}

edgekit_bundle* bundle_of(jlong handle) { return pointer<edgekit_bundle>(handle); }
edgekit_run* run_of(jlong handle) { return pointer<edgekit_run>(handle); }

// No exception of C++ may reach Java: what there can be is that memory has run out.
template <typename Do>
auto guarded(JNIEnv* env, Do call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        jclass error = env->FindClass("java/lang/OutOfMemoryError");
        if (error) env->ThrowNew(error, "edgekit");
        return {};
    }
}

// The tensors of one call, in arrays of one element for each; a buffer that is null is for the engine to make.
struct Tensors {
    JNIEnv* env;
    jobjectArray names, types, shapes, buffers;
    std::vector<Bytes> texts = {};
    std::vector<std::vector<jlong>> dimensions = {};
    std::vector<edgekit_tensor> all = {};

    void read(size_t count) {
        for (size_t at = 0; at < count; ++at) {
            for (jobjectArray array : {names, types}) texts.push_back(bytes_of(env, element(array, at)));
            auto* const shape = static_cast<jlongArray>(element(shapes, at));
            dimensions.emplace_back(shape ? static_cast<size_t>(env->GetArrayLength(shape)) : 0);
            std::vector<jlong>& sizes = dimensions.back();
            if (shape) env->GetLongArrayRegion(shape, 0, static_cast<jsize>(sizes.size()), sizes.data());
            edgekit_tensor tensor{sizeof tensor, {}, {}, nullptr, sizes.size(), nullptr, 0};
            if (jobject buffer = element(buffers, at)) {
                tensor.data = env->GetDirectBufferAddress(buffer);
                tensor.bytes = static_cast<size_t>(env->GetDirectBufferCapacity(buffer));
            }
            all.push_back(tensor);
        }
        for (size_t at = 0; at < count; ++at) {  // all texts lie where they stay
            all[at].name = view(texts[2 * at]);
            all[at].type = view(texts[2 * at + 1]);
            all[at].shape = reinterpret_cast<const int64_t*>(dimensions[at].data());
        }
    }

    // What the engine made: buffers over its memory.
    void tell(size_t from) {
        for (size_t at = from; at < all.size() && !env->ExceptionCheck(); ++at) {
            if (element(buffers, at)) continue;
            const edgekit_tensor& made = all[at];
            const auto rank = static_cast<jsize>(made.rank);
            put(env, types, at, array_of(env, made.type));
            jlongArray shape = env->ExceptionCheck() ? nullptr : env->NewLongArray(rank);
            if (!shape) return;
            env->SetLongArrayRegion(shape, 0, rank, reinterpret_cast<const jlong*>(made.shape));
            put(env, shapes, at, shape);
            static char nothing;  // an output without elements has no memory
            void* const data = made.bytes ? made.data : &nothing;
            put(env, buffers, at, env->NewDirectByteBuffer(data, static_cast<jlong>(made.bytes)));
        }
    }

    jobject element(jobjectArray array, size_t at) { return env->GetObjectArrayElement(array, static_cast<jsize>(at)); }
};

}  // namespace

// Whether the library that was loaded is of the version that this was compiled for.
extern "C" JNIEXPORT jboolean JNICALL Java_edgekit_Native_fits(JNIEnv*, jclass) { return edgekit_abi() == EDGEKIT_ABI; }

FACE(jlong, open, jbyteArray folder, jintArray numbers, jobjectArray texts, jobjectArray why) {
    return guarded(env, [&]() -> jlong {
        jint number[4];
        env->GetIntArrayRegion(numbers, 0, 4, number);
        Bytes words[4];
        for (jsize at = 0; at < 4; ++at) words[at] = bytes_of(env, env->GetObjectArrayElement(texts, at));
        const edgekit_open_options options{sizeof options,  static_cast<uint32_t>(number[0]), number[1], number[2],
                                           number[3],       view(words[0]), view(words[1]), view(words[2]),
                                           view(words[3])};
        edgekit_bundle* bundle = nullptr;
        refused(env, edgekit_open(view(bytes_of(env, folder)), &options, &bundle), why);
        return reinterpret_cast<jlong>(bundle);
    });
}

FACE(void, close, jlong bundle) { edgekit_close(bundle_of(bundle)); }

// Its facts where there is no request, else preflight's answer to it.
FACE(jbyteArray, document, jlong bundle, jbyteArray request, jobjectArray why) {
    return guarded(env, [&]() -> jbyteArray {
        edgekit_document* document = nullptr;
        const Bytes asked = bytes_of(env, request);
        edgekit_error* const error = request ? edgekit_preflight(bundle_of(bundle), view(asked), &document)
                                             : edgekit_facts(bundle_of(bundle), &document);
        jbyteArray made = refused(env, error, why) ? nullptr : array_of(env, edgekit_document_text(document));
        edgekit_document_free(document);
        return made;
    });
}

FACE(jlong, respond, jlong bundle, jbyteArray request, jobjectArray why) {
    return guarded(env, [&]() -> jlong {
        edgekit_run* run = nullptr;
        refused(env, edgekit_respond(bundle_of(bundle), view(bytes_of(env, request)), &run), why);
        return reinterpret_cast<jlong>(run);
    });
}

// The event's kind, with `numbers` read and of, and `texts` its text, id and name. 0: `texts` says why.
FACE(jint, next, jlong run, jlongArray numbers, jobjectArray texts) {
    edgekit_event event{};
    event.size = sizeof event;
    if (refused(env, edgekit_next(run_of(run), &event), texts)) return 0;
    const jlong counts[] = {event.read, event.of};
    env->SetLongArrayRegion(numbers, 0, 2, counts);
    put_texts(env, texts, {event.text, event.id, event.name});
    return event.kind;
}

FACE(void, cancel, jlong run) { edgekit_cancel(run_of(run)); }

FACE(void, free, jlong run) { edgekit_run_free(run_of(run)); }

FACE(jlong, trim, jlong bundle, jint what, jobjectArray why) {
    int64_t freed = 0;
    refused(env, edgekit_trim(bundle_of(bundle), what, &freed), why);
    return freed;
}

// The first of the tensors, `inputs`, are inputs. Gives the owner of what the engine made; 0 where it made nothing.
FACE(jlong, infer, jlong bundle, jint inputs, jobjectArray names, jobjectArray types, jobjectArray shapes,
     jobjectArray buffers, jobjectArray why) {
    return guarded(env, [&]() -> jlong {
        const jsize count = env->GetArrayLength(names);
        const auto from = static_cast<size_t>(inputs);
        if (env->PushLocalFrame(8 * count + 16)) return 0;
        Tensors tensors{env, names, types, shapes, buffers};
        tensors.read(static_cast<size_t>(count));
        edgekit_tensor* const all = tensors.all.data();
        edgekit_values* owned = nullptr;
        const size_t outputs = tensors.all.size() - from;
        edgekit_error* const error = edgekit_infer(bundle_of(bundle), all, from, all + from, outputs, &owned);
        if (!refused(env, error, why)) tensors.tell(from);
        if (env->ExceptionCheck()) edgekit_values_free(std::exchange(owned, nullptr));
        env->PopLocalFrame(nullptr);
        return reinterpret_cast<jlong>(owned);
    });
}

FACE(jbyteArray, classify, jlong bundle, jobject pixels, jbyteArray format, jint width, jint height, jint top,
     jobjectArray why) {
    return guarded(env, [&]() -> jbyteArray {
        const jlong shape[] = {height, width};
        const Bytes type = bytes_of(env, format);
        edgekit_tensor picture{sizeof picture, {}, view(type), nullptr, 2, nullptr, 0};
        picture.shape = reinterpret_cast<const int64_t*>(shape);
        picture.data = env->GetDirectBufferAddress(pixels);
        picture.bytes = static_cast<size_t>(env->GetDirectBufferCapacity(pixels));
        edgekit_document* document = nullptr;
        jbyteArray made = nullptr;
        if (!refused(env, edgekit_classify(bundle_of(bundle), &picture, top, &document), why)) {
            made = array_of(env, edgekit_document_text(document));
        }
        edgekit_document_free(document);
        return made;
    });
}

FACE(void, freeValues, jlong values) { edgekit_values_free(pointer<edgekit_values>(values)); }

// The check mode's way into the core: does the action of a request and ends the process.
#include <app.h>
#include <jni.h>

extern "C" JNIEXPORT void JNICALL Java_dev_edgekit_sample_CheckActivity_check(JNIEnv* env, jclass, jstring container,
                                                                            jstring request) {
    edgekit_check(env->GetStringUTFChars(container, nullptr), env->GetStringUTFChars(request, nullptr));
}

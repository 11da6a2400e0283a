import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

// gradle.properties, which `edgekit sample` wrote for the bundle.
fun of(name: String): String = providers.gradleProperty("edgekit.$name").get()
fun all(name: String): List<String> = of(name).split(",").filter { it.isNotEmpty() }

// The engines' libraries out of their AARs, and nothing else: no class, and no manifest, which in GenAI's adds INTERNET and
// a telemetry provider. GenAI's lies on its release page alone: libs/README.md.
val engines: Configuration by configurations.creating { isTransitive = false }
dependencies { all("maven").forEach { engines("$it@aar") } }
val genai = of("genai").takeIf { it.isNotEmpty() }?.let { file("libs/onnxruntime-genai-$it.aar") }
val libraries = tasks.register<Copy>("engineLibraries") {
    doFirst { if (genai?.exists() == false) throw GradleException("$genai is not there: libs/README.md says where it is") }
    from({ (engines.files + listOfNotNull(genai)).map { zipTree(it) } })
    include(all("abi").map { "jni/$it/*.so" })
    eachFile { path = path.removePrefix("jni/") }
    includeEmptyDirs = false
    into(layout.buildDirectory.dir("engines"))
}
tasks.named("preBuild") { dependsOn(libraries) }

android {
    namespace = "dev.edgekit.sample"
    compileSdk = 36
    ndkVersion = "28.2.13676358" // 28 is the first that aligns to 16 KB by itself

    defaultConfig {
        applicationId = "dev.edgekit.sample"
        minSdk = of("minSdk").toInt() // os_min of the target
        targetSdk = 36 // what Play asks of new apps from 31 August 2026
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += all("abi") }
        externalNativeBuild {
            cmake {
                arguments += "-DANDROID_STL=c++_static"
                targets += listOf("edgekit", "edgekit_jni")
            }
        }
    }
    buildTypes {
        debug { externalNativeBuild { cmake { targets += "edgekit_check" } } } // the check mode is of debug builds alone
        release {
            isMinifyEnabled = true // R8; the Android file keeps the names of classes with native functions, which the core's JNI has
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }
    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/CMakeLists.txt")
            version = "3.22.1"
        }
    }
    sourceSets.getByName("main") {
        kotlin.srcDir("../edgekit/kotlin/src")
        jniLibs.srcDir(layout.buildDirectory.dir("engines"))
    }
    assetPacks += all("packs").map { ":packs:$it" }
    androidResources { noCompress += listOf("onnx", "data", "bin", "npz") }
    packaging {
        jniLibs {
            useLegacyPackaging = true // as files: the core looks for the engines beside itself, and an NPU cannot map out of an APK
            excludes += listOf("**/libonnxruntime4j_jni.so", "**/libonnxruntime-genai-jni.so") // of the Java that is not taken
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
}

// Telemetry, aligned to 4 KB, which Play refuses; GenAI as it is released does not load without it, so a release build with it
// says so on the screen (axis onnxruntime_genai). README.md: build GenAI without telemetry.
androidComponents {
    onVariants(selector().withBuildType("release")) { it.packaging.jniLibs.excludes.add("**/libmat.so") }
}

kotlin { compilerOptions { jvmTarget.set(JvmTarget.JVM_11) } }

dependencies {
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
    implementation("com.google.android.play:asset-delivery:2.3.0")
}

plugins {
    id("com.android.application") version "8.9.1" apply false // the first for API 36; it wants Gradle 8.11.1
    id("com.android.asset-pack") version "8.9.1" apply false
    id("org.jetbrains.kotlin.android") version "2.1.20" apply false
}

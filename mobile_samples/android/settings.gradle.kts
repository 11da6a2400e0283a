pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "edgekit-sample"
include(":app")
// The bundle's asset packs, where it is too large for the app's own assets; `edgekit sample` made them.
file("packs").listFiles { folder -> folder.isDirectory }.orEmpty().sorted().forEach { include(":packs:${it.name}") }

package dev.edgekit.sample

import android.content.Context
import com.google.android.play.core.assetpacks.AssetPackManager
import com.google.android.play.core.assetpacks.AssetPackManagerFactory
import com.google.android.play.core.assetpacks.AssetPackStateUpdateListener
import com.google.android.play.core.assetpacks.model.AssetPackStatus
import edgekit.ModelBundle
import edgekit.Options
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** Finds the bundle on the device: where Play unpacked its one pack, or brought together in a folder that no backup takes. */
class Delivery(private val context: Context, private val sample: Sample) {
    private val play: AssetPackManager by lazy { AssetPackManagerFactory.getInstance(context) }
    private val home = File(context.noBackupFilesDir, "bundle-${sample.sha256}")

    /** Open it; every byte is compared with the manifest once. [tell] hears how far it is, on the main thread. */
    suspend fun open(tell: (String) -> Unit): ModelBundle {
        val folder = if (sample.packs.size == 1) fetched(sample.packs[0], tell) else gathered(tell)
        val verified = File(context.noBackupFilesDir, "verified-${sample.sha256}")
        tell("opening ${sample.name}")
        val options = Options(
            verify = !verified.isFile,
            onnxruntime = library("onnxruntime"),
            genai = sample.genai?.let { library("onnxruntime-genai") },
            genaiVersion = sample.genai,
        )
        return ModelBundle.open(folder, options).also { verified.createNewFile() }
    }

    private fun library(name: String) = File(context.applicationInfo.nativeLibraryDir, "lib$name.so").path

    private suspend fun gathered(tell: (String) -> Unit): File {
        val gathering = Gathering(home, sample.pieces) { it.usableSpace }
        if (gathering.complete) return home
        context.noBackupFilesDir.listFiles { file -> file.name.startsWith("bundle-") && file != home }
            .orEmpty().forEach { it.deleteRecursively() } // of an earlier version of the app
        gathering.check()
        for (pack in gathering.packs) {
            val folder = if (pack.isEmpty()) null else fetched(pack, tell)
            tell("copying the model")
            withContext(Dispatchers.IO) {
                gathering.take(pack) { path -> folder?.let { File(it, path).inputStream() } ?: context.assets.open("bundle/$path") }
            }
            if (folder != null) play.removePack(pack) // else the model would be there twice
        }
        return home
    }

    /** The bundle's folder of a pack, which Play fetches where it has not yet. */
    private suspend fun fetched(pack: String, tell: (String) -> Unit): File {
        fun place() = play.getPackLocation(pack)?.assetsPath()?.let { File(it, "bundle") }
        place()?.let { return it }
        val ended = CompletableDeferred<Int>()
        val listener = AssetPackStateUpdateListener { state ->
            if (state.name() != pack) return@AssetPackStateUpdateListener
            tell("fetching the model: ${state.bytesDownloaded() / 1_000_000} of ${state.totalBytesToDownload() / 1_000_000} MB")
            when (state.status()) {
                AssetPackStatus.COMPLETED -> ended.complete(0)
                AssetPackStatus.FAILED, AssetPackStatus.CANCELED -> ended.complete(state.errorCode())
                else -> Unit
            }
        }
        play.registerListener(listener)
        try {
            play.fetch(listOf(pack))
            val error = ended.await()
            return place() ?: throw IOException("Play did not bring the model (error $error); try again with a connection")
        } finally {
            play.unregisterListener(listener)
        }
    }
}

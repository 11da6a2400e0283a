package dev.edgekit.sample

import android.app.ActivityManager
import android.app.Application
import android.content.ComponentCallbacks2
import android.os.Build
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob

/** Keeps the bundle open while activities come and go, and gives memory back as the system asks. */
class SampleApplication : Application() {
    val sample: Sample by lazy { Sample(assets.open("sample.properties"), assets.open("files.txt")) }
    val keeper = Keeper(CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate))

    /** What preflight said, while an answer is being made: what is left of it tells the next process. */
    private val noted: File get() = File(noBackupFilesDir, "preflight.txt")

    fun note(room: String?) {
        if (room == null) noted.delete() else noted.writeText(room)
    }

    /** A line about the last process, where memory ended it. */
    fun lastEnd(): String? {
        val room = noted.takeIf { it.isFile }?.readText()
        noted.delete()
        if (Build.VERSION.SDK_INT < 30) return null
        val exits = getSystemService(ActivityManager::class.java).getHistoricalProcessExitReasons(null, 0, 1)
        return exits.firstOrNull()?.let { Endings.told(it.reason, it.status, it.description, room) }
    }

    /** From Android 14 on these two levels are all that come. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND) keeper.background()
        else if (level == ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN) keeper.hidden()
    }
}

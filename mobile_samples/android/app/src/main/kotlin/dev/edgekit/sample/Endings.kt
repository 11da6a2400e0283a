package dev.edgekit.sample

/** What to tell of the process's last end, by the numbers of android.app.ApplicationExitInfo (API 30). */
object Endings {
    private const val SIGNALED = 2
    private const val LOW_MEMORY = 3
    private const val SIGKILL = 9

    /**
     * A line for people where memory was the reason, else null: lmkd's own reason, the memory limiter of Android 17
     * ("MemoryLimiter:AnonSwap"), or a SIGKILL, which is lmkd's where the system does not report it.
     *
     * @param noted what preflight had said before the last answer; null where none was being made
     */
    fun told(reason: Int, status: Int, description: String?, noted: String?): String? {
        val limiter = description.orEmpty().contains("MemoryLimiter")
        val who = when {
            limiter -> "Android's memory limiter ended the app"
            reason == LOW_MEMORY -> "Android ended the app for memory"
            reason == SIGNALED && status == SIGKILL && noted != null -> "the app was killed while it answered, perhaps for memory"
            else -> return null
        }
        return who + (noted?.let { ". Before its last answer preflight had said: $it" } ?: "")
    }
}

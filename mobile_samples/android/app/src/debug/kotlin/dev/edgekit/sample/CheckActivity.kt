package dev.edgekit.sample

import android.app.Activity
import android.os.Bundle
import android.view.WindowManager
import android.widget.TextView

/** The check mode: does the request that the intent names, a file below the app's folder, and ends the process. */
class CheckActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContentView(TextView(this).apply { setText(R.string.checking) })
        val request = intent.getStringExtra("request") ?: return finish()
        System.loadLibrary("edgekit_check")
        Thread(null, { check(applicationInfo.dataDir, request) }, "check", 8L shl 20).start()
    }

    private companion object {
        @JvmStatic external fun check(container: String, request: String)
    }
}

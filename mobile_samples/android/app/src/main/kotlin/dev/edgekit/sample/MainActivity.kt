package dev.edgekit.sample

import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.TextView
import edgekit.Conversation
import edgekit.Event
import edgekit.Message
import edgekit.ModelBundle
import edgekit.Refused
import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** Chats with the bundle, or says what is on a picture of the gallery. */
class MainActivity : Activity() {
    private val app: SampleApplication get() = application as SampleApplication
    private val said: TextView get() = findViewById(R.id.said)
    private val act: Button get() = findViewById(R.id.act)
    private val saved: File get() = File(filesDir, "history.json")
    private var chat: Conversation? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        val chats = app.sample.does == "chat"
        findViewById<EditText>(R.id.question).visibility = if (chats) View.VISIBLE else View.GONE
        findViewById<Button>(R.id.licences).setOnClickListener { licences() }
        act.setText(if (chats) R.string.send else R.string.choose)
        act.setOnClickListener { if (chats) send() else choose() }
        app.lastEnd()?.let { say("$it\n\n") }
        doing { bundle -> if (chats) begin(bundle) }
    }

    override fun onStart() {
        super.onStart()
        app.keeper.shown()
    }

    /** Do something with the bundle, opened by the first; what is refused stands on the screen. */
    private fun doing(work: suspend (ModelBundle) -> Unit) {
        app.keeper.answer {
            act.isEnabled = false
            try {
                val bundle = app.keeper.bundle ?: Delivery(app, app.sample).open { said.text = it }.also { app.keeper.bundle = it }
                work(bundle)
            } catch (why: Refused) {
                say("\n${why.message}\n${why.next}\n")
            } catch (why: IOException) {
                say("\n${why.message}\n")
            } finally {
                act.isEnabled = app.keeper.bundle != null
                window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
            }
        }
    }

    private fun begin(bundle: ModelBundle) {
        val history = if (saved.isFile) Message.restore(saved.readText()) else emptyList()
        chat = bundle.conversation(history)
        said.text = history.joinToString("\n\n", postfix = "\n\n") { it.content }
    }

    private fun send() {
        val question = findViewById<EditText>(R.id.question)
        val text = question.text.toString()
        if (text.isBlank()) return
        question.setText("")
        say("$text\n\n")
        doing { bundle ->
            val chat = this.chat ?: bundle.conversation().also { this.chat = it }
            val room = bundle.preflight(chat.history + Message("user", text))
            if (room.fits == false) {
                say("${room.why}\n\n")
                return@doing
            }
            app.note(room.toString())
            stops()
            try {
                chat.send(text).collect { if (it is Event.Text) say(it.text) }
                say("\n\n")
            } finally { // also where it was cancelled: what was said stays
                app.note(null)
                saved.writeText(Message.save(chat.history))
                act.setText(R.string.send)
                act.setOnClickListener { send() }
            }
        }
    }

    private fun stops() {
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        act.isEnabled = true
        act.setText(R.string.stop)
        act.setOnClickListener { app.keeper.stop() }
    }

    private fun choose() {
        val gallery = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
        startActivityForResult(gallery, CHOOSE)
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val picture = data?.data
        if (requestCode == CHOOSE && resultCode == RESULT_OK && picture != null) classify(picture)
    }

    private fun classify(picture: Uri) = doing { bundle ->
        said.text = ""
        val bitmap = withContext(Dispatchers.IO) { Gallery.bitmap(this@MainActivity, picture) }
        findViewById<ImageView>(R.id.picture).apply { visibility = View.VISIBLE }.setImageBitmap(bitmap)
        val pixels = withContext(Dispatchers.Default) { Gallery.pixels(this@MainActivity, picture, bitmap) }
        val classes = bundle.classify(pixels.bytes, pixels.width, pixels.height, pixelFormat = pixels.format)
        classes.forEach { say("${it.label ?: "class ${it.index}"}  ${it.score}\n") }
    }

    private fun licences() {
        val text = assets.open("LICENSES.txt").use { it.reader().readText() }
        AlertDialog.Builder(this).setTitle(R.string.licences).setMessage(text).show()
    }

    private fun say(text: String) = said.append(text)

    private companion object {
        const val CHOOSE = 1
    }
}

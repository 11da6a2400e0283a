package edgekit

/** JSON as the library reads and writes it; objects keep the order of their keys. */
internal object Json {
    /** A text that is JSON already. */
    class Raw(val text: String)

    fun write(value: Any?): String = when (value) {
        is Raw -> value.text
        is Map<*, *> -> value.entries.joinToString(",", "{", "}") { (key, member) -> write(key) + ":" + write(member) }
        is Iterable<*> -> value.joinToString(",", "[", "]", transform = ::write)
        is String -> buildString {
            append('"')
            for (letter in value) when {
                letter == '"' || letter == '\\' -> append('\\').append(letter)
                letter < ' ' -> append("\\u").append(letter.code.toString(16).padStart(4, '0'))
                else -> append(letter)
            }
            append('"')
        }
        null, is Number, is Boolean -> value.toString()
        else -> throw IllegalArgumentException("${value.javaClass} is not for JSON")
    }

    /** Maps, lists, texts, Long, Double, Boolean, null. Throws IllegalArgumentException where the text is no JSON. */
    fun read(text: String): Any? = Reader(text).whole()

    @Suppress("UNCHECKED_CAST") // keys of JSON are texts
    fun readObject(text: ByteArray?): Map<String, Any?> = read(text!!.decodeToString()) as Map<String, Any?>

    private val ENDS = ",]} \t\r\n".toCharArray() // of a word

    private class Reader(private val text: String) {
        private var at = 0

        fun whole(): Any? = value().also { require(next() == null) { "there is more at $at" } }

        private fun next(): Char? {
            while (at < text.length && text[at] in " \t\r\n") at++
            return text.getOrNull(at)
        }

        private fun take(letter: Char): Boolean = (next() == letter).also { if (it) at++ }

        private fun expect(letter: Char) = require(take(letter)) { "'$letter' is missing at $at" }

        private fun value(): Any? = when (next()) {
            '{' -> LinkedHashMap<String, Any?>().also { members ->
                parts('{', '}') {
                    val key = string()
                    expect(':')
                    members[key] = value()
                }
            }
            '[' -> ArrayList<Any?>().also { elements -> parts('[', ']') { elements.add(value()) } }
            '"' -> string()
            else -> word()
        }

        private inline fun parts(begin: Char, end: Char, part: () -> Unit) {
            expect(begin)
            if (take(end)) return
            do part() while (take(','))
            expect(end)
        }

        private fun letter(): Char = requireNotNull(text.getOrNull(at++)) { "a text without an end" }

        private fun string(): String = buildString {
            expect('"')
            while (true) when (val letter = letter()) {
                '"' -> return@buildString
                '\\' -> append(escaped(letter()))
                else -> append(letter)
            }
        }

        private fun escaped(letter: Char): Char = when (letter) {
            'u' -> String(CharArray(4) { letter() }).toInt(16).toChar()
            'b', 'f', 'n', 'r', 't' -> "\b\u000c\n\r\t"["bfnrt".indexOf(letter)]
            else -> letter
        }

        private fun word(): Any? {
            val end = text.indexOfAny(ENDS, at).let { if (it < 0) text.length else it }
            val word = text.substring(at, end)
            at = end
            if (word == "true" || word == "false") return word == "true"
            return if (word == "null") null else word.toLongOrNull() ?: word.toDouble()
        }
    }
}

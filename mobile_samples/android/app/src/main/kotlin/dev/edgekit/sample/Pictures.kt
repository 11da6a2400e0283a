package dev.edgekit.sample

import java.nio.ByteBuffer

/** A picture as sRGB, red, green, blue in 0..255, row by row. */
class Pixels(val width: Int, val height: Int, val values: IntArray = IntArray(width * height * 3)) {
    /** Upright, by EXIF's orientation, 1 to 8. */
    fun turned(orientation: Int): Pixels {
        if (orientation !in 2..8) return this
        val made = if (orientation >= 5) Pixels(height, width) else Pixels(width, height)
        for (y in 0 until made.height) for (x in 0 until made.width) {
            val (across, down) = if (orientation >= 5) y to x else x to y
            val fromX = if (orientation in intArrayOf(2, 3, 7, 8)) width - 1 - across else across
            val fromY = if (orientation in intArrayOf(3, 4, 6, 7)) height - 1 - down else down
            values.copyInto(made.values, (y * made.width + x) * 3, (fromY * width + fromX) * 3, (fromY * width + fromX) * 3 + 3)
        }
        return made
    }

    /** A byte for each, where the core reads them. */
    fun bytes(): ByteBuffer = ByteBuffer.allocateDirect(values.size).apply {
        for (value in values) put(value.toByte())
        flip()
    }

    companion object {
        /** Of Android's ARGB; what is transparent lies on white. */
        fun of(argb: IntArray, width: Int): Pixels = Pixels(width, argb.size / width).also { made ->
            for ((at, pixel) in argb.withIndex()) for (channel in 0 until 3) {
                val alpha = pixel ushr 24
                val value = pixel shr (16 - 8 * channel) and 255
                made.values[at * 3 + channel] = (value * alpha + 255 * (255 - alpha) + 127) / 255
            }
        }
    }
}

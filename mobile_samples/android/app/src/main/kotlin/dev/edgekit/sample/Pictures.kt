package dev.edgekit.sample

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * A picture as the core takes it, which turns it upright and puts what is transparent on white. [argb] is what a Bitmap's
 * getPixels gives, row by row; [orientation] is EXIF's, 1 to 8, where the decoder did not heed it.
 */
class Pixels(argb: IntArray, val width: Int, orientation: Int = 1) {
    val height: Int = argb.size / width
    val format: String = "bgra8 exif-${if (orientation in 1..8) orientation else 1}" // of an int's bytes, blue is the first
    val bytes: ByteBuffer = ByteBuffer.allocateDirect(4 * argb.size).order(ByteOrder.LITTLE_ENDIAN)

    init {
        bytes.asIntBuffer().put(argb)
    }
}

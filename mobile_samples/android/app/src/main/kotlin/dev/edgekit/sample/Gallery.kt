package dev.edgekit.sample

import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.media.ExifInterface
import android.net.Uri
import android.os.Build
import java.io.IOException

/** A picture that the user chose, in sRGB. */
object Gallery {
    fun bitmap(context: Context, picture: Uri): Bitmap {
        if (Build.VERSION.SDK_INT >= 28) { // which turns by EXIF itself
            return ImageDecoder.decodeBitmap(ImageDecoder.createSource(context.contentResolver, picture)) { decoder, _, _ ->
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
                decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
            }
        }
        val options = BitmapFactory.Options().apply {
            inPremultiplied = false
            if (Build.VERSION.SDK_INT >= 26) inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
        }
        val decoded = context.contentResolver.openInputStream(picture)?.use { BitmapFactory.decodeStream(it, null, options) }
        return decoded ?: throw IOException("this is no picture")
    }

    fun pixels(context: Context, picture: Uri, bitmap: Bitmap): Pixels {
        val argb = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        if (Build.VERSION.SDK_INT >= 28) return Pixels(argb, bitmap.width)
        val orientation = context.contentResolver.openInputStream(picture)?.use {
            ExifInterface(it).getAttributeInt(ExifInterface.TAG_ORIENTATION, 1)
        }
        return Pixels(argb, bitmap.width, orientation ?: 1)
    }
}

// Pixels as an app's decoder leaves them, made upright sRGB of three bytes each.
#pragma once

#include <optional>
#include <string>

#include "resample.h"

namespace edgekit {

// What the type of a picture says of its pixels: "rgba8 premultiplied exif-6 display-p3" (edgekit.h has the words).
struct PixelFormat {
    enum class Alpha { NONE, STRAIGHT, PREMULTIPLIED };

    int bytes = 3;  // of a pixel
    bool blue_first = false;
    Alpha alpha = Alpha::NONE;
    int orientation = 1;  // EXIF's, 1 to 8
    bool display_p3 = false;

    // Whether there is nothing to be done.
    bool plain() const { return bytes == 3 && !blue_first && alpha == Alpha::NONE && orientation == 1 && !display_p3; }
};

// nullopt: the type is none of a picture. Throws Refused ("usage") for a word that says nothing of one.
std::optional<PixelFormat> pixel_format(const std::string& type);

// What is transparent lies on white, as Pillow's alpha_composite puts it there; then Display P3 becomes sRGB, where
// what sRGB does not have is its nearest value in each channel. from: `channels` are the bytes of a pixel.
Picture upright(const Pixels& from, const PixelFormat& format);

}  // namespace edgekit

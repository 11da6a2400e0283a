#include "upright.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <sstream>

#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

using Alpha = PixelFormat::Alpha;

const char* const WORDS = "rgb8, bgr8, rgba8, bgra8, rgbx8 or bgrx8; then premultiplied, exif-1 to exif-8, display-p3";

// Of Display P3, linear, to sRGB, linear: the product of CSS Color 4's XYZ_to_lin_sRGB and lin_P3_to_XYZ
// (www.w3.org/TR/css-color-4/#color-conversion-code). Both have D65 as their white and sRGB's curve.
constexpr double TO_SRGB[3][3] = {
    {1.2249401762805598, -0.2249401762805598, 0.0},
    {-0.042056954709688163, 1.0420569547096881, 0.0},
    {-0.019637554590334432, -0.078636045550631889, 1.0982736001409663},
};

// sRGB's curve (IEC 61966-2-1): of a value as it is stored, 0 to 1, to light.
double light(double stored) { return stored <= 0.04045 ? stored / 12.92 : std::pow((stored + 0.055) / 1.055, 2.4); }

// sRGB's curve for bytes, forwards and back: to the nearest byte, without a power for each pixel.
class Curve {
  public:
    Curve() {
        for (size_t byte = 0; byte < 256; ++byte) lights_[byte] = light(static_cast<double>(byte) / 255);
        for (size_t byte = 0; byte < 255; ++byte) edges_[byte] = light((static_cast<double>(byte) + 0.5) / 255);
        for (size_t part = 0; part < PARTS; ++part) {
            const auto first = std::upper_bound(edges_.begin(), edges_.end(), static_cast<double>(part) / PARTS);
            firsts_[part] = static_cast<uint8_t>(first - edges_.begin());
        }
    }

    double of(uint8_t byte) const { return lights_[byte]; }

    uint8_t back(double value) const {
        if (!(value > 0)) return 0;
        if (value >= 1) return 255;
        size_t byte = firsts_[static_cast<size_t>(value * PARTS)];
        while (byte < edges_.size() && edges_[byte] <= value) ++byte;
        return static_cast<uint8_t>(byte);
    }

  private:
    static constexpr size_t PARTS = 4096;  // of 0 to 1; the steepest has one edge, or two
    std::array<double, 256> lights_{};
    std::array<double, 255> edges_{};  // the light from which the next byte is nearer
    std::array<uint8_t, PARTS> firsts_{};
};

void to_srgb(uint8_t* pixel) {
    static const Curve curve;
    const double from[] = {curve.of(pixel[0]), curve.of(pixel[1]), curve.of(pixel[2])};
    for (size_t at = 0; at < 3; ++at) {
        const auto& row = TO_SRGB[at];
        pixel[at] = curve.back(row[0] * from[0] + row[1] * from[1] + row[2] * from[2]);
    }
}

uint8_t on_white(uint32_t value, uint32_t alpha, bool premultiplied) {
    if (premultiplied) return static_cast<uint8_t>(std::min(255U, value + 255 - alpha));
    const uint32_t sum = 128 * (value * alpha + 255 * (255 - alpha) + 128);  // Pillow's AlphaComposite.c
    return static_cast<uint8_t>((sum + (sum >> 8)) >> 15);
}

bool among(int value, std::initializer_list<int> values) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

std::optional<PixelFormat> pixel_format(const std::string& type) {
    struct Order {
        const char* name;
        PixelFormat format;
    };
    static constexpr Order ORDERS[] = {
        {"rgb8", {3, false, Alpha::NONE}},      {"bgr8", {3, true, Alpha::NONE}},
        {"rgba8", {4, false, Alpha::STRAIGHT}}, {"bgra8", {4, true, Alpha::STRAIGHT}},
        {"rgbx8", {4, false, Alpha::NONE}},     {"bgrx8", {4, true, Alpha::NONE}},
    };
    const std::string first = type.substr(0, type.find(' '));
    const auto* const order =
        std::find_if(std::begin(ORDERS), std::end(ORDERS), [&first](const Order& each) { return first == each.name; });
    if (order == std::end(ORDERS)) return std::nullopt;
    PixelFormat format = order->format;
    std::istringstream words(type.substr(first.size()));
    std::string word;
    while (words >> word) {
        if (word == "display-p3") {
            format.display_p3 = true;
        } else if (word == "premultiplied" && format.alpha != Alpha::NONE) {
            format.alpha = Alpha::PREMULTIPLIED;
        } else if (word.size() == 6 && word.compare(0, 5, "exif-") == 0 && word[5] >= '1' && word[5] <= '8') {
            format.orientation = word[5] - '0';
        } else {
            throw Refused("the picture's type " + edgekit::quoted(type) + " says " + edgekit::quoted(word),
                          std::string("a type is ") + WORDS, "usage");
        }
    }
    return format;
}

Picture upright(const Pixels& from, const PixelFormat& format) {
    const bool across = format.orientation >= 5;  // its rows become columns
    const bool right_first = among(format.orientation, {2, 3, 7, 8}),
               last_first = among(format.orientation, {3, 4, 6, 7});
    Picture made(across ? from.height : from.width, across ? from.width : from.height, 3);
    uint8_t* to = made.data.data();
    for (int y = 0; y < made.height; ++y) {
        for (int x = 0; x < made.width; ++x, to += 3) {
            const int column = across ? y : x, row = across ? x : y;
            const auto left = static_cast<size_t>(right_first ? from.width - 1 - column : column);
            const auto top = static_cast<size_t>(last_first ? from.height - 1 - row : row);
            const uint8_t* const pixel = from.data + top * from.stride + left * static_cast<size_t>(from.channels);
            for (size_t at = 0; at < 3; ++at) {
                const uint8_t value = pixel[format.blue_first ? 2 - at : at];
                const bool flat = format.alpha == Alpha::NONE;
                to[at] = flat ? value : on_white(value, pixel[3], format.alpha == Alpha::PREMULTIPLIED);
            }
            if (format.display_p3) to_srgb(to);
        }
    }
    return made;
}

}  // namespace edgekit

// Pictures of other sizes, to the bit as Pillow makes them (its Resample.c and, for "nearest", Geometry.c): both shrink
// by wider filters, which is what "antialias" means elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgekit {

// Pixels that somebody owns: `channels` bytes each, rows from the top, `stride` bytes apart.
struct Pixels {
    const uint8_t* data = nullptr;
    int width = 0, height = 0, channels = 3;
    size_t stride = 0;
};

struct Picture {
    int width = 0, height = 0, channels = 3;
    std::vector<uint8_t> data = {};

    Picture(int w, int h, int c)
        : width(w),
          height(h),
          channels(c),
          data(static_cast<size_t>(w) * static_cast<size_t>(h) * static_cast<size_t>(c)) {}
    size_t stride() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
    Pixels pixels() const { return {data.data(), width, height, channels, stride()}; }
};

// The part of a picture that is made into the new one; edges may lie within a pixel. Pillow has floats here.
struct Box {
    float left = 0, top = 0, right = 0, bottom = 0;
};

// filter: nearest, box, bilinear, hamming, bicubic or lanczos. Throws std::runtime_error for another.
Picture resized(const Pixels& from, int width, int height, const std::string& filter, const Box& box);

// A rectangle of a picture; what lies outside of it is `fill`, black.
Picture cropped(const Pixels& from, int left, int top, int width, int height, uint8_t fill = 0);

}  // namespace edgekit

#include "resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace edgekit {
namespace {

constexpr double PI = 3.14159265358979323846;
constexpr int BITS = 32 - 8 - 2;  // of a weight's fraction

struct Filter {
    const char* name;
    double (*weight)(double x);
    double support;
};

double of_box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double of_triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double of_hamming(double x) {
    x = std::abs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= PI;
    return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));
}

double of_bicubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * PI) / (x * PI); }

double of_lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

constexpr Filter FILTERS[] = {{"box", of_box, 0.5},
                              {"bilinear", of_triangle, 1.0},
                              {"hamming", of_hamming, 1.0},
                              {"bicubic", of_bicubic, 2.0},
                              {"lanczos", of_lanczos, 3.0}};

// What one pixel of a line is made of: pixels from `first` on, with these weights.
struct Taps {
    int first = 0;
    std::vector<int32_t> weights = {};
};

// Halves up and, below zero, towards it.
int rounded(double value) {
    constexpr double HALF = 0.5;
    return static_cast<int>(value + HALF);
}

std::vector<Taps> taps(int size, float from, float to, int wanted, const Filter& filter) {
    const double scale = static_cast<double>(to - from) / wanted, stretch = std::max(scale, 1.0),
                 support = filter.support * stretch;
    std::vector<Taps> found(static_cast<size_t>(wanted));
    std::vector<double> weights;
    for (int at = 0; at < wanted; ++at) {
        const double center = from + (at + 0.5) * scale;
        const int first = std::max(rounded(center - support), 0);
        const int last = std::min(rounded(center + support), size);
        weights.clear();
        double sum = 0;
        for (int pixel = first; pixel < last; ++pixel) {
            weights.push_back(filter.weight((pixel - center + 0.5) * (1.0 / stretch)));
            sum += weights.back();
        }
        Taps& line = found[static_cast<size_t>(at)];
        line.first = first;
        for (const double weight : weights) {
            const double part = (sum != 0.0 ? weight / sum : weight) * (1 << BITS);
            line.weights.push_back(static_cast<int32_t>(part < 0 ? part - 0.5 : part + 0.5));
        }
    }
    return found;
}

// The sum of weighted bytes that lie `step` apart, as a byte.
uint8_t weighed(const uint8_t* from, size_t step, const std::vector<int32_t>& weights) {
    int32_t sum = 1 << (BITS - 1);
    for (const int32_t weight : weights) {
        sum += *from * weight;
        from += step;
    }
    return static_cast<uint8_t>(std::clamp(sum >> BITS, 0, 255));
}

Picture across(const Pixels& from, const std::vector<Taps>& columns) {
    Picture made(static_cast<int>(columns.size()), from.height, from.channels);
    const auto channels = static_cast<size_t>(from.channels);
    uint8_t* to = made.data.data();
    for (int row = 0; row < from.height; ++row) {
        const uint8_t* const line = from.data + static_cast<size_t>(row) * from.stride;
        for (const Taps& column : columns) {
            const uint8_t* const first = line + static_cast<size_t>(column.first) * channels;
            for (size_t channel = 0; channel < channels; ++channel)
                *to++ = weighed(first + channel, channels, column.weights);
        }
    }
    return made;
}

Picture down(const Pixels& from, const std::vector<Taps>& rows) {
    Picture made(from.width, static_cast<int>(rows.size()), from.channels);
    uint8_t* to = made.data.data();
    for (const Taps& row : rows) {
        const uint8_t* const first = from.data + static_cast<size_t>(row.first) * from.stride;
        for (size_t at = 0; at < made.stride(); ++at) *to++ = weighed(first + at, from.stride, row.weights);
    }
    return made;
}

// Of each new pixel the one that its middle lies in. The middles are added up, as Pillow does.
std::vector<int> middles(int size, float from, float to, int wanted) {
    const double step = static_cast<double>(to - from) / wanted;
    std::vector<int> found;
    double middle = from + step * 0.5;
    for (int at = 0; at < wanted; ++at, middle += step) {
        found.push_back(std::clamp(static_cast<int>(middle), 0, size - 1));
    }
    return found;
}

Picture nearest(const Pixels& from, int width, int height, const Box& box) {
    Picture made(width, height, from.channels);
    const auto channels = static_cast<size_t>(from.channels);
    const std::vector<int> columns = middles(from.width, box.left, box.right, width);
    uint8_t* to = made.data.data();
    for (const int row : middles(from.height, box.top, box.bottom, height)) {
        const uint8_t* const line = from.data + static_cast<size_t>(row) * from.stride;
        for (const int column : columns) {
            std::memcpy(to, line + static_cast<size_t>(column) * channels, channels);
            to += channels;
        }
    }
    return made;
}

}  // namespace

Picture resized(const Pixels& from, int width, int height, const std::string& filter, const Box& box) {
    const float left = std::trunc(box.left), top = std::trunc(box.top);
    if (left == box.left && top == box.top && box.right - box.left == static_cast<float>(width) &&
        box.bottom - box.top == static_cast<float>(height)) {
        return cropped(from, static_cast<int>(left), static_cast<int>(top), width, height);
    }
    if (filter == "nearest") return nearest(from, width, height, box);
    const auto* const chosen = std::find_if(std::begin(FILTERS), std::end(FILTERS),
                                            [&filter](const Filter& each) { return filter == each.name; });
    if (chosen == std::end(FILTERS)) throw std::runtime_error("no filter of pictures is called " + filter);
    const std::vector<Taps> columns = taps(from.width, box.left, box.right, width, *chosen);
    std::vector<Taps> rows = taps(from.height, box.top, box.bottom, height, *chosen);
    const bool wide = width != from.width || box.left != 0 || box.right != static_cast<float>(width);
    const bool high = height != from.height || box.top != 0 || box.bottom != static_cast<float>(height);
    if (!wide) return down(from, rows);
    if (!high) return across(from, columns);
    // Pillow's choice, which rounding shows.
    const bool rows_first = height < from.height && from.height - height > 2 * (from.width - width);
    if (rows_first) return across(down(from, rows).pixels(), columns);
    const int first = rows.front().first;  // what is needed alone
    const int last = rows.back().first + static_cast<int>(rows.back().weights.size());
    Pixels needed = from;
    needed.data += static_cast<size_t>(first) * from.stride;
    needed.height = last - first;
    for (Taps& row : rows) row.first -= first;
    return down(across(needed, columns).pixels(), rows);
}

Picture cropped(const Pixels& from, int left, int top, int width, int height, uint8_t fill) {
    Picture made(width, height, from.channels);
    std::fill(made.data.begin(), made.data.end(), fill);
    const auto channels = static_cast<size_t>(from.channels);
    const int begin = std::max(left, 0), end = std::min(left + width, from.width);
    for (int row = std::max(top, 0); row < std::min(top + height, from.height) && begin < end; ++row) {
        std::memcpy(made.data.data() + static_cast<size_t>(row - top) * made.stride() +
                        static_cast<size_t>(begin - left) * channels,
                    from.data + static_cast<size_t>(row) * from.stride + static_cast<size_t>(begin) * channels,
                    static_cast<size_t>(end - begin) * channels);
    }
    return made;
}

}  // namespace edgekit

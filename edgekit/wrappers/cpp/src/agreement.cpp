#include "agreement.h"

#include <algorithm>
#include <cmath>

namespace edgekit {
namespace {

double share_of_equals(const Array& here, const Array& golden) {
    const size_t size = golden.size();
    size_t equal = 0;
    for (size_t at = 0; at < size; ++at) {
        const bool same = golden.type->kind == 'U' ? here.text[at] == golden.text[at]
                                                   : integer_at(here, at) == integer_at(golden, at);
        equal += same ? 1 : 0;
    }
    return size ? static_cast<double>(equal) / static_cast<double>(size) : 1;
}

// Of two float arrays whose places that are not finite are the same.
Agreement of_finite(const Array& here, const Array& golden) {
    const double size = largest(here), golden_size = largest(golden);
    if (size == 0 || golden_size == 0) return {size == golden_size ? 1.0 : 0.0, 1};
    double product = 0, squares = 0, golden_squares = 0;
    for (size_t at = 0; at < golden.size(); ++at) {
        if (!std::isfinite(value_at(golden, at))) continue;
        const double x = value_at(here, at) / size, y = value_at(golden, at) / golden_size;
        product += x * y;
        squares += x * x;
        golden_squares += y * y;
    }
    const double length = std::sqrt(squares), golden_length = std::sqrt(golden_squares);
    return {product / (length * golden_length), (size / golden_size) * (length / golden_length)};
}

}  // namespace

Agreement agreement(const Array& here, const Array& golden) {
    if (here.type->kind != golden.type->kind || here.size() != golden.size()) return {0, 1};
    if (golden.type->kind != 'f') return {share_of_equals(here, golden), 1};
    return unlike(here, golden) ? Agreement{0, 1} : of_finite(here, golden);
}

size_t unlike(const Array& here, const Array& golden) {
    size_t places = 0;
    for (size_t at = 0; at < golden.size(); ++at) {
        const double x = value_at(here, at), y = value_at(golden, at);
        const bool same = x == y || (std::isnan(x) && std::isnan(y)) || (std::isfinite(x) && std::isfinite(y));
        places += same ? 0 : 1;
    }
    return places;
}

double largest(const Array& array) {
    double size = 0;
    for (size_t at = 0; array.type->kind == 'f' && at < array.size(); ++at) {
        const double value = std::abs(value_at(array, at));
        if (std::isfinite(value)) size = std::max(size, value);
    }
    return size;
}

}  // namespace edgekit

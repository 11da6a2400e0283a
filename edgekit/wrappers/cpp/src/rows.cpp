#include "rows.h"

#include <algorithm>
#include <map>
#include <string>

#include "words.h"

namespace edgekit {
namespace {

constexpr double MOST = 0.5;  // of the inputs: more with another number of rows are other shapes

bool is_whole(const Array& array, const Shape& shape) {
    return array.type->kind != 'f' && array.size() == elements(shape);
}

// Each row as one text, with the times that it occurs.
std::map<std::string, int64_t> set_of(const Array& array, const Shape& shape, size_t axis) {
    const auto count = static_cast<size_t>(shape[axis]);
    size_t inner = 1;
    for (size_t at = axis + 1; at < shape.size(); ++at) inner *= static_cast<size_t>(shape[at]);
    std::vector<std::string> rows(count);
    for (size_t at = 0; at < array.size(); ++at) {
        const std::string value = array.type->kind == 'U' ? array.text[at] : std::to_string(integer_at(array, at));
        rows[at / inner % count] += std::to_string(value.size()) + ":" + value;
    }
    std::map<std::string, int64_t> set;
    for (const std::string& row : rows) ++set[row];
    return set;
}

}  // namespace

bool Rows::fits(const Shape& here, const Shape& golden) const {
    if (here.size() != golden.size() || axis_ < 0 || axis_ >= static_cast<int64_t>(golden.size())) return false;
    for (size_t at = 0; at < golden.size(); ++at) {
        if (static_cast<int64_t>(at) != axis_ && here[at] != golden[at]) return false;
    }
    return true;
}

bool Rows::add(const Array& here, const Shape& here_shape, const Array& golden, const Shape& golden_shape) {
    const auto axis = static_cast<size_t>(axis_);
    const int64_t count = here_shape[axis], golden_count = golden_shape[axis];
    const bool sets = is_whole(here, here_shape) && is_whole(golden, golden_shape);
    int64_t common = sets ? 0 : std::min(count, golden_count);
    if (sets) {
        const auto wanted = set_of(golden, golden_shape, axis);
        for (const auto& [row, times] : set_of(here, here_shape, axis)) {
            const auto found = wanted.find(row);
            if (found != wanted.end()) common += std::min(times, found->second);
        }
    }
    ++inputs_;
    other_count_ += count == golden_count ? 0 : 1;
    common_ += common;
    both_ += count + golden_count;
    return sets || count != golden_count;
}

double Rows::f1() const { return both_ ? 2 * static_cast<double>(common_) / static_cast<double>(both_) : 1.0; }

std::string Rows::wrong(double least) const {
    if (both_ - 2 * common_ <= 1) return "";
    if (static_cast<double>(other_count_) > MOST * static_cast<double>(inputs_)) {
        return "another number of rows for " + std::to_string(other_count_) + " of " + std::to_string(inputs_) + " inputs";
    }
    if (f1() < least) return "F1 of its rows " + number("%.4f", f1()) + ", at least " + number("%g", least) + " is asked";
    return "";
}

}  // namespace edgekit

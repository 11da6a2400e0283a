#include "goldens.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string_view>

#include "agreement.h"
#include "refused.h"
#include "rows.h"
#include "strict.h"
#include "words.h"

namespace edgekit {
namespace {

constexpr std::string_view SHAPE = "shape.";  // begins the name of an output's shape
constexpr std::string_view ROWS = "rows.";    // and of the axis of its rows, where the model says how many it has
constexpr size_t MAX_VALUES = 65'536;  // of one output; of a larger one evenly spread values are kept
// Of the largest finite value that an output has for any input: less is the dust of rounding, without direction.
constexpr double NOTHING = 1e-4;

struct Compared {
    std::string rule;
    size_t compared = 0;
    std::optional<double> worst;
    std::vector<std::string> wrong;
};

Array recorded_on(const std::string& ep, const std::string& kernels) {
    const Json where = {{"ep", ep}, {"kernels", kernels}};
    return text_array("{\"ep\": " + where.at("ep").dump() + ", \"kernels\": " + where.at("kernels").dump() + "}");
}

Json where_of(const Array& recorded) { return parse_json(recorded.text.at(0), true); }

// At most MAX_VALUES values, in steps that divide no dimension, so that no channel is left out.
Array spread(const Array& array) {
    const size_t size = array.size();
    size_t step = (size + MAX_VALUES - 1) / MAX_VALUES;
    const auto divides = [&](int64_t dim) { return std::gcd(static_cast<int64_t>(step), dim) > 1; };
    while (step > 1 && std::any_of(array.shape.begin(), array.shape.end(), divides)) ++step;
    step = std::max(step, size_t{1});
    Array kept{array.type, {static_cast<int64_t>((size + step - 1) / step)}, {}, {}};
    for (size_t at = 0; at < size; at += step) {
        if (array.type->kind == 'U') {
            kept.text.push_back(array.text[at]);
        } else {
            const std::byte* value = array.data.data() + at * array.type->size;
            kept.data.insert(kept.data.end(), value, value + array.type->size);
        }
    }
    return kept;
}

bool is_golden(const std::string& key) { return key[0] >= '0' && key[0] <= '9'; }

std::string output_of(const std::string& key) { return key.substr(key.find('.') + 1); }

// The answers that have a golden, or a shape among the goldens: all that is asked of what holds random numbers.
std::set<std::string> asked_of(const Arrays& goldens) {
    std::set<std::string> keys;
    for (const auto& [key, golden] : goldens) {
        if (is_golden(key)) keys.insert(key);
        if (key.compare(0, SHAPE.size(), SHAPE) == 0) keys.insert(key.substr(SHAPE.size()));
    }
    return keys;
}

Json shape_of(const Arrays& arrays, const std::string& key) {
    const auto found = arrays.find(std::string(SHAPE) + key);
    return found == arrays.end() ? Json(nullptr) : Json(integers(found->second));
}

// An array of a bundle's check data, whose type is of one of these kinds.
const Array& of(const Arrays& arrays, const std::string& name, const std::string& kinds) {
    const auto found = arrays.find(name);
    if (found == arrays.end() || kinds.find(found->second.type->kind) == std::string::npos) {
        throw Refused("the bundle's check data cannot be used: " + name + " is missing, or of another type",
                      "fetch the bundle again");
    }
    return found->second;
}

Compared compare_llm(const Arrays& here, const Arrays& goldens, const Json& rule) {
    const std::vector<int64_t> top1 = integers(of(goldens, "top1", "iub")), now = integers(here.at("top1"));
    const std::vector<double> margin = numbers(of(goldens, "margin", "f"));
    const auto least = rule.at("margin").get<double>();
    if (margin.size() != top1.size()) {
        throw Refused("the bundle's check data cannot be used: top1 and margin are of two lengths",
                      "fetch the bundle again");
    }
    Compared result;
    for (size_t at = 0; at < top1.size(); ++at) {
        if (margin[at] <= least) continue;  // one that is NaN excuses nothing
        ++result.compared;
        if (at < now.size() && now[at] == top1[at]) continue;
        const std::string token = at < now.size() ? std::to_string(now[at]) : "none";
        result.wrong.push_back("position " + std::to_string(at) + ": token " + token + " instead of " +
                               std::to_string(top1[at]) + ", which led by " + number("%.2f", margin[at]));
    }
    result.rule = "the best token of " + std::to_string(top1.size()) + " positions, where it led by more than " +
                  number("%g", least);
    if (result.compared) {
        result.worst = 1 - static_cast<double>(result.wrong.size()) / static_cast<double>(result.compared);
    }
    return result;
}

// Hold one output against its golden: what is wrong with it, or nothing; the cosine counts for `worst`.
std::string compare_output(const Array& here, const Array& golden, double size, const Json& limits,
                           std::optional<double>& worst) {
    const auto cosine_min = limits.at("cosine_min").get<double>();
    const bool floats = here.type->kind == 'f' && golden.type->kind == 'f' && here.size() == golden.size();
    const size_t strange = floats ? unlike(here, golden) : 0;
    const bool dust = floats && !strange && std::max(largest(here), largest(golden)) <= NOTHING * size;
    const Agreement found = dust ? Agreement{1, 1} : agreement(here, golden);
    worst = std::min(worst.value_or(found.cosine), found.cosine);
    if (strange) {
        return "NaN or infinity differs at " + std::to_string(strange) + " of " + std::to_string(golden.size()) +
               " places";
    }
    if (!(found.cosine >= cosine_min)) {
        return "cosine " + number("%.4f", found.cosine) + ", at least " + number("%g", cosine_min) + " is asked";
    }
    if (!(std::abs(found.ratio - 1) <= limits.at("length_tolerance").get<double>())) {
        return number("%.3g", found.ratio) + " times as long as it was";
    }
    return "";
}

std::map<std::string, Rows> counted_of(const Arrays& goldens) {
    std::map<std::string, Rows> counted;
    for (const auto& [key, axis] : goldens) {
        if (key.compare(0, ROWS.size(), ROWS) != 0) continue;
        const std::vector<int64_t> axes = integers(of(goldens, key, "iu"));
        counted.emplace(key.substr(ROWS.size()), Rows(axes.size() == 1 ? axes[0] : -1));
    }
    return counted;
}

// Hold the rows of one output against its golden's, where the model counts them; whether nothing is left to compare.
// An output whose shape is another, and not by its rows alone, is left as it is.
bool compare_rows(std::map<std::string, Rows>& counted, const Arrays& here, const Arrays& goldens, const std::string& key,
                  bool& fits) {
    const auto rows = counted.find(output_of(key));
    const auto golden = goldens.find(key);
    const Json shape = shape_of(here, key), wanted = shape_of(goldens, key);
    if (rows == counted.end() || golden == goldens.end() || shape.is_null() || wanted.is_null()) return false;
    const Array& answer = here.at(key);
    const auto sizes = shape.get<Shape>(), golden_sizes = wanted.get<Shape>();
    if (answer.type->kind != golden->second.type->kind || !rows->second.fits(sizes, golden_sizes)) return false;
    fits = true;
    return rows->second.add(answer, sizes, golden->second, golden_sizes);
}

void finish_rows(const std::map<std::string, Rows>& counted, double least, Compared& result) {
    for (const auto& [name, rows] : counted) {
        const std::string wrong = rows.wrong(least);
        if (!wrong.empty()) result.wrong.push_back("output " + quoted(name) + ": " + wrong);
        if (rows.inputs()) result.worst = std::min(result.worst.value_or(rows.f1()), rows.f1());
    }
}

Compared compare_tensors(const Arrays& here, const Arrays& goldens, const Json& rule, bool same) {
    const Json& limits = rule.at(same ? "same_kernels" : "elsewhere");
    const auto cosine_min = limits.at("cosine_min").get<double>();
    Compared result;
    result.rule = "cosine of at least " + number("%g", cosine_min) + " for each output";
    std::map<std::string, double> sizes;
    std::map<std::string, Rows> counted = counted_of(goldens);
    for (const auto& [key, golden] : goldens) {
        if (is_golden(key)) sizes[output_of(key)] = std::max(sizes[output_of(key)], largest(golden));
    }
    for (const std::string& key : asked_of(goldens)) {
        const auto golden = goldens.find(key);
        if (golden != goldens.end()) ++result.compared;
        const std::string title = "input " + key.substr(0, key.find('.')) + ", output " + quoted(output_of(key)) + ": ";
        const Json shape = shape_of(here, key), wanted = shape_of(goldens, key);
        bool fits = false;
        const bool done = compare_rows(counted, here, goldens, key, fits);
        if (shape.is_null() || (shape != wanted && !fits)) {
            result.wrong.push_back(title + "the shape " + shape.dump() + " instead of " + wanted.dump());
            continue;
        }
        if (golden == goldens.end() || done) continue;
        const std::string wrong = compare_output(here.at(key), golden->second, sizes[output_of(key)], limits, result.worst);
        if (!wrong.empty()) result.wrong.push_back(title + wrong);
    }
    finish_rows(counted, same ? cosine_min : ROWS_F1, result);
    return result;
}

}  // namespace

Arrays record(const LlmBundle& bundle, const Arrays& inputs, const Json& rule, const std::string& kernels) {
    Tokens ids;
    for (int64_t id : integers(of(inputs, "token_ids", "iub"))) ids.push_back(static_cast<int32_t>(id));
    if (ids.empty()) throw Refused("the bundle's check text is empty", "build the bundle again");
    const auto positions = rule.at("positions").get<size_t>();
    const size_t single = std::min(positions / 2, ids.size() - 1);
    const auto cut = ids.end() - static_cast<std::ptrdiff_t>(single);
    std::vector<Tokens> parts{Tokens(ids.begin(), cut)};
    for (auto token = cut; token != ids.end(); ++token) parts.push_back({*token});
    const Logits rows = bundle.logits_in_steps(std::move(parts), positions);
    if (!std::all_of(rows.values.begin(), rows.values.end(), [](float value) { return std::isfinite(value); })) {
        throw Refused("the model's logits are not finite", "build the bundle with another recipe", "quality");
    }
    std::vector<int64_t> top1;
    std::vector<float> margin;
    for (size_t at = 0; at < rows.rows; ++at) {
        const float* begin = rows.row(at);
        const float* best = std::max_element(begin, begin + rows.width);
        float second = -INFINITY;
        for (const float* value = begin; value < begin + rows.width; ++value) {
            if (value != best) second = std::max(second, *value);
        }
        top1.push_back(best - begin);
        margin.push_back(*best - second);
    }
    return {{"top1", int64_array(top1)},
            {"margin", float_array(margin)},
            {"recorded_on", recorded_on(bundle.opened.ep(), kernels)}};
}

Arrays record(const TensorBundle& bundle, const Arrays& inputs, const Json&, const std::string& kernels) {
    Arrays found{{"recorded_on", recorded_on(bundle.opened.ep(), kernels)}};
    const std::vector<Arrays> all = feeds(inputs);
    for (size_t at = 0; at < all.size(); ++at) {
        for (const auto& [name, array] : bundle.run(all[at])) {
            const std::string key = std::to_string(at) + "." + name;
            found[key] = spread(array);
            found[std::string(SHAPE) + key] = int64_array(array.shape);
        }
    }
    return found;
}

Json compare(const Arrays& here, const Arrays& goldens, const Json& rule) {
    const Json there = where_of(goldens.at("recorded_on"));
    const bool same = where_of(here.at("recorded_on")) == there;
    const bool llm = rule.at("kind") == "llm";
    const Compared result = llm ? compare_llm(here, goldens, rule)
                                : compare_tensors(here, goldens, rule, same);
    const auto shown = static_cast<std::ptrdiff_t>(std::min(SHOWN, result.wrong.size()));
    const std::vector<std::string> mismatches(result.wrong.begin(), result.wrong.begin() + shown);
    return {{"rule", result.rule},
            {"compared", result.compared},
            {"worst", or_null(result.worst)},
            {"passed", result.wrong.empty()},
            {"same_kernels", same},
            {"recorded_on", there},
            {"mismatches", mismatches},
            {"mismatch_count", result.wrong.size()}};
}

std::vector<Arrays> feeds(const Arrays& inputs) {
    std::map<long, Arrays> found;
    for (const auto& [key, array] : inputs) {
        const size_t dot = key.find('.');
        found[std::stol(key)][key.substr(std::min(dot, key.size() - 1) + 1)] = array;
    }
    std::vector<Arrays> sorted;
    sorted.reserve(found.size());
    for (auto& [at, feed] : found) sorted.push_back(std::move(feed));
    return sorted;
}

}  // namespace edgekit

#include "goldens.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

constexpr size_t MAX_VALUES = 65'536;  // of one output; of a larger one evenly spread values are kept
// Of the largest value that an output has for any input: less is the dust of rounding, without direction.
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

Json where_of(const Array& recorded) { return Json::parse(recorded.text.at(0)); }

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

double cosine_and_ratio(const std::vector<double>& here, const std::vector<double>& golden, double& ratio) {
    double product = 0, squares = 0, golden_squares = 0;
    for (size_t at = 0; at < here.size(); ++at) {
        product += here[at] * golden[at];
        squares += here[at] * here[at];
        golden_squares += golden[at] * golden[at];
    }
    const double length = std::sqrt(squares), golden_length = std::sqrt(golden_squares);
    ratio = 1;
    if (length == 0 || golden_length == 0) return length == golden_length ? 1 : 0;
    ratio = length / golden_length;
    return product / (length * golden_length);
}

double share_of_equals(const Array& here, const Array& golden) {
    const size_t size = golden.size();
    size_t equal = 0;
    for (size_t at = 0; at < size; ++at) {
        const bool text = golden.type->kind == 'U';
        equal += text ? here.text[at] == golden.text[at] : value_at(here, at) == value_at(golden, at);
    }
    return size ? static_cast<double>(equal) / static_cast<double>(size) : 1;
}

// The largest absolute value; infinite where one is not finite, 0 for what is no float.
double largest(const Array& array) {
    double found = 0;
    for (size_t at = 0; array.type->kind == 'f' && at < array.size(); ++at) {
        const double value = std::abs(value_at(array, at));
        found = std::isfinite(value) ? std::max(found, value) : INFINITY;
    }
    return found;
}

bool is_golden(const std::string& key) { return key[0] >= '0' && key[0] <= '9'; }

std::string output_of(const std::string& key) { return key.substr(key.find('.') + 1); }

Compared compare_llm(const Arrays& here, const Arrays& goldens, const Json& rule) {
    const std::vector<int64_t> top1 = integers(goldens.at("top1")), now = integers(here.at("top1"));
    const std::vector<double> margin = numbers(goldens.at("margin"));
    const auto least = rule.at("margin").get<double>();
    Compared result;
    for (size_t at = 0; at < top1.size(); ++at) {
        if (margin.at(at) <= least) continue;
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

Compared compare_tensors(const Arrays& here, const Arrays& goldens, const Json& limits) {
    const auto cosine_min = limits.at("cosine_min").get<double>();
    const auto tolerance = limits.at("length_tolerance").get<double>();
    Compared result;
    result.rule = "cosine of at least " + number("%g", cosine_min) + " for each output";
    std::map<std::string, double> scale;
    for (const auto& [key, golden] : goldens) {
        if (is_golden(key)) scale[output_of(key)] = std::max(scale[output_of(key)], largest(golden));
    }
    for (const auto& one : goldens) {
        const std::string& key = one.first;
        const Array& golden = one.second;
        if (!is_golden(key)) continue;
        ++result.compared;
        const std::string title = "input " + key.substr(0, key.find('.')) + ", output " + quoted(output_of(key));
        const auto shape = [&](const Arrays& arrays) {
            const auto found = arrays.find("shape." + key);
            return found == arrays.end() ? Json(nullptr) : Json(integers(found->second));
        };
        if (shape(here) != shape(goldens)) {
            result.wrong.push_back(title + ": the shape " + shape(here).dump() + " instead of " +
                                   shape(goldens).dump());
            continue;
        }
        const double dust = NOTHING * scale[output_of(key)];
        const bool nothing = golden.type->kind == 'f' && std::max(largest(here.at(key)), largest(golden)) <= dust;
        const auto [value, ratio] = nothing ? std::pair(1.0, 1.0) : agreement(here.at(key), golden);
        result.worst = std::min(result.worst.value_or(value), value);
        if (!(value >= cosine_min)) {
            result.wrong.push_back(title + ": cosine " + number("%.4f", value) + ", at least " +
                                   number("%g", cosine_min) + " is asked");
        } else if (std::abs(ratio - 1) > tolerance) {
            result.wrong.push_back(title + ": " + number("%.3g", ratio) + " times as long as it was");
        }
    }
    return result;
}

}  // namespace

Arrays record(const LlmBundle& bundle, const Arrays& inputs, const Json& rule, const std::string& kernels) {
    Tokens ids;
    for (int64_t id : integers(inputs.at("token_ids"))) ids.push_back(static_cast<int32_t>(id));
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
            found["shape." + key] = int64_array(array.shape);
        }
    }
    return found;
}

Json compare(const Arrays& here, const Arrays& goldens, const Json& rule) {
    const Json there = where_of(goldens.at("recorded_on"));
    const bool same = where_of(here.at("recorded_on")) == there;
    const bool llm = rule.at("kind") == "llm";
    const Compared result = llm ? compare_llm(here, goldens, rule)
                                : compare_tensors(here, goldens, rule.at(same ? "same_kernels" : "elsewhere"));
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
    for (auto& [at, feed] : found) sorted.push_back(std::move(feed));
    return sorted;
}

std::pair<double, double> agreement(const Array& here, const Array& golden) {
    if (here.type->kind != golden.type->kind || here.size() != golden.size()) return {0, 1};
    if (golden.type->kind != 'f') return {share_of_equals(here, golden), 1};
    std::vector<double> a, b;
    for (size_t at = 0; at < golden.size(); ++at) {
        const double x = value_at(here, at), y = value_at(golden, at);
        if (std::isfinite(x) && std::isfinite(y)) {
            a.push_back(x);
            b.push_back(y);
        } else if (!(x == y || (std::isnan(x) && std::isnan(y)))) {
            return {0, 1};
        }
    }
    double ratio = 1;
    const double cosine = cosine_and_ratio(a, b, ratio);
    return {cosine, ratio};
}

}  // namespace edgekit

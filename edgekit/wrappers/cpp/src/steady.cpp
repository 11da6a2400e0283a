#include "steady.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace edgekit {
namespace {

// Two-sided 95 % quantiles of Student's t by degrees of freedom (Abramowitz and Stegun, table 26.10), falling.
constexpr std::pair<size_t, double> T95[] = {{60, 2.0},  {30, 2.04}, {20, 2.09}, {15, 2.13}, {12, 2.18},
                                             {10, 2.23}, {9, 2.26},  {8, 2.31},  {7, 2.36},  {6, 2.45},
                                             {5, 2.57},  {4, 2.78},  {3, 3.18},  {2, 4.30},  {1, 12.71}};

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double variation(const std::vector<double>& values) {
    const double middle = mean(values);
    double squares = 0;
    for (double value : values) squares += (value - middle) * (value - middle);
    return std::sqrt(squares / static_cast<double>(values.size() - 1)) / middle;
}

double slope(const std::vector<double>& values) {
    const double middle = mean(values), last = static_cast<double>(values.size() - 1);
    double together = 0, alone = 0;
    for (size_t at = 0; at < values.size(); ++at) {
        const double x = static_cast<double>(at) - last / 2;
        together += x * (values[at] - middle);
        alone += x * x;
    }
    return together / alone * last / middle;
}

double half_width(const std::vector<double>& values) {
    if (values.size() < 2) return std::numeric_limits<double>::infinity();
    const auto* found =
        std::find_if(std::begin(T95), std::end(T95), [&](const auto& one) { return one.first < values.size(); });
    return found->second * variation(values) / std::sqrt(static_cast<double>(values.size()));
}

Json warm_up(const std::function<double()>& unit, const Json& rule) {
    const auto window = rule.at("window").get<size_t>(), min_runs = rule.at("min_runs").get<size_t>();
    const auto min_s = rule.at("min_s").get<double>(), max_s = rule.at("max_s").get<double>();
    const auto max_cv = rule.at("max_cv").get<double>(), max_slope = rule.at("max_slope").get<double>();
    const Stopwatch watch;
    std::vector<double> runs;
    while (true) {
        runs.push_back(unit());
        const double spent = watch.seconds();
        bool steady = runs.size() >= std::max({min_runs, window, size_t{2}}) && spent >= min_s;
        if (steady) {
            const std::vector<double> last(runs.end() - static_cast<std::ptrdiff_t>(std::max(window, size_t{2})),
                                           runs.end());
            steady = variation(last) < max_cv && std::abs(slope(last)) < max_slope;
        }
        if (steady || spent >= max_s) return {{"runs_s", runs}, {"steady", steady}, {"seconds", spent}};
    }
}

}  // namespace edgekit

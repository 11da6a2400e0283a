// When a run is warm, and when there are enough trials: rules whose numbers come from the plan.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "json.h"

namespace edgekit {

// Seconds since it was made.
class Stopwatch {
  public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point started_ = Clock::now();
};

double variation(const std::vector<double>& values);   // standard deviation over mean
double slope(const std::vector<double>& values);       // rise of a line through the values, over their mean
double half_width(const std::vector<double>& values);  // half the 95 % confidence interval of the mean, over the mean

// Repeat `unit`, which returns its own seconds, until it is steady by the rule: min_runs, min_s, window, max_cv,
// max_slope, max_s. Returns runs_s, steady, seconds.
Json warm_up(const std::function<double()>& unit, const Json& rule);

}  // namespace edgekit

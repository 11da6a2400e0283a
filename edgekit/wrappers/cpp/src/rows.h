// Outputs of which the model itself says how many rows they have: two answers by their rows, as rows.py says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "arrays.h"

namespace edgekit {

constexpr double ROWS_F1 = 0.85;  // what the gate asks of whole numbers

using Shape = std::vector<int64_t>;

// An output over all inputs.
class Rows {
   public:
    explicit Rows(int64_t axis) : axis_(axis) {}

    // Whether two shapes differ in the number of rows alone.
    bool fits(const Shape& here, const Shape& golden) const;

    // Two answers to one input, whole or some of their values, with their shapes, which fit; whether nothing of them is
    // left to be compared.
    bool add(const Array& here, const Shape& here_shape, const Array& golden, const Shape& golden_shape);

    size_t inputs() const { return inputs_; }
    double f1() const;
    std::string wrong(double least) const;  // empty where the rows agree

   private:
    int64_t axis_;
    size_t inputs_ = 0, other_count_ = 0;
    int64_t common_ = 0, both_ = 0;  // rows that both have, and all of here and of the golden
};

}  // namespace edgekit

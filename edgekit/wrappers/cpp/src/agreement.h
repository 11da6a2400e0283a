// How alike two answers are: one rule for arrays, which agreement.py of the Python runtime keeps too.
//
// - Floats that are not finite are compared by place and sign: where one array has NaN, infinity or minus infinity, the
//   other has the same there, or the two do not agree at all (0). A NaN's sign and payload mean nothing.
// - The finite values are compared among themselves, by their own scale: the cosine of their directions and the ratio
//   of their lengths. Each array is divided by its largest value first, so that no square overflows or becomes zero.
//   Two arrays of zeros agree; zeros and anything else do not.
// - Of anything else the share of equal values counts, all 64 bits of an integer.
// - Arrays of another kind (float, signed, unsigned, bool, text) or size do not agree; a number's width does not matter.
#pragma once

#include <cstddef>

#include "arrays.h"

namespace edgekit {

struct Agreement {
    double cosine;  // -1 to 1, or the share of equal values; never NaN
    double ratio;   // of lengths, 0 to infinity; 1 for what is no float
};

Agreement agreement(const Array& here, const Array& golden);

// Places of two float arrays of one size where one has NaN or an infinity and the other has not the same.
size_t unlike(const Array& here, const Array& golden);

// The largest absolute value of the finite ones; 0 where there is none, and for what is no float.
double largest(const Array& array);

}  // namespace edgekit

// A picture as the input of a net, as its contract's `preprocess` says; and what a classifier says of it.
#pragma once

#include <string>
#include <vector>

#include "infer.h"
#include "json.h"

namespace edgekit {

// The type of a View that is a picture, of the shape [height, width] or [height, width, bytes of a pixel]; its rows are
// bytes / height apart, and `pixels` says how they lie.
extern const Type RGB8;

// The array that a contract's input is made of a picture. Refused where the contract does not say how, or nothing
// could.
Array of_picture(const Json& input, const View& picture);

// The array of an input that always has the same value.
Array of_fixed(const Json& input);

struct Class {
    size_t index;
    std::string label;  // empty where there is none
    double score;
};

// The best classes of one row of scores, the best first; of equal ones the first.
std::vector<Class> best_classes(const View& scores, const std::vector<std::string>& labels, size_t most);

}  // namespace edgekit

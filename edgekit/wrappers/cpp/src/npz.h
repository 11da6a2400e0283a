// .npz files as edgekit writes them: stored (not compressed) zip archives of .npy arrays in C order.
#pragma once

#include <filesystem>

#include "arrays.h"

namespace edgekit {

// Every array of a file; throws Refused, naming the file, for one that is damaged or of another kind.
Arrays read_npz(const std::filesystem::path& path);

// Write arrays in the order of their names, stored and undated: the bytes depend on the arrays only.
void write_npz(const std::filesystem::path& path, const Arrays& arrays);

}  // namespace edgekit

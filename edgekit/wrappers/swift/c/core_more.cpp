// See core.cpp.
#include "../../cpp/src/llm.cpp"
#include "../../cpp/src/manifest.cpp"
#include "../../cpp/src/pictures.cpp"
#include "../../cpp/src/strict.cpp"

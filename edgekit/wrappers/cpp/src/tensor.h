// A model of plain tensors: arrays in, arrays out, both checked against the bundle's contract.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arrays.h"
#include "bundle.h"
#include "engines.h"
#include "infer.h"
#include "ort.h"
#include "pictures.h"

namespace edgekit {

class TensorBundle {
  public:
    TensorBundle(Opened found, Engines& engines);

    // One inference: the outputs by name.
    Arrays run(const Arrays& feed) const;

    // What a picture shows, the best first. Refused where the contract does not speak of classes, or of one picture.
    std::vector<Class> classify(const View& picture, size_t most) const;

    // One inference on memory of the caller's; any thread may call. An input may be a picture (RGB8).
    Values infer(const std::vector<View>& inputs, std::vector<View>& outputs) const;

    // Refuse, in one line, a feed that the contract does not allow.
    void check(const Arrays& feed) const;

    // An inference that can be repeated and timed; `feed` and this bundle must outlive it.
    Session::Call call(const Arrays& feed) const { return Session::Call(session_, feed, outputs_); }

    std::optional<std::vector<std::string>> labels() const;  // one a line, where the contract names a file of them

    const Opened opened;

  private:
    void check(const std::vector<View>& feed) const;

    Values run_on(const std::vector<View>& inputs, std::vector<View>& outputs) const;
    View scores(size_t labels) const;  // the output that classes are read from

    const Ort& ort_;
    std::vector<std::string> outputs_;
    Session session_;
};

}  // namespace edgekit

#include "strict.h"

#include <cmath>
#include <fstream>
#include <map>
#include <stdexcept>
#include <vector>

#include "refused.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

constexpr size_t MAX_NESTING = 64;

std::string cut(const std::string& key) { return quoted(key.substr(0, 80)); }

// Looks at a document and builds nothing: a vocabulary has hundreds of thousands of values.
class Check : public nlohmann::json_sax<Json> {
   public:
    explicit Check(bool names) : names_(names) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t value, const string_t& text) override {
        if (!std::isfinite(value)) throw std::runtime_error("the number " + text.substr(0, 40) + " is too large");
        return true;
    }
    bool string(string_t& text) override { return no_zero(text); }
    bool binary(binary_t&) override { return true; }
    bool start_object(size_t) override { return deeper(); }
    bool end_object() override { return higher(); }
    bool start_array(size_t) override { return deeper(); }
    bool end_array() override { return higher(); }
    bool key(string_t& text) override {
        no_zero(text);
        const auto [known, is_new] = keys_.back().emplace(names_ ? lower(text) : text, text);
        if (!is_new && known->second == text) throw std::runtime_error("the key " + cut(text) + " stands twice");
        if (!is_new) {
            throw std::runtime_error("the keys " + cut(known->second) + " and " + cut(text) +
                                     " are one to a reader that does not look at case");
        }
        return true;
    }
    bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
        throw std::runtime_error(first_line(error.what(), 200));
    }

   private:
    bool no_zero(const std::string& text) const {
        if (names_ && text.find('\0') != std::string::npos) {
            throw std::runtime_error("a zero byte stands in a text");
        }
        return true;
    }
    bool deeper() {
        keys_.emplace_back();
        if (keys_.size() > MAX_NESTING) {
            throw std::runtime_error("its brackets nest deeper than " + std::to_string(MAX_NESTING));
        }
        return true;
    }
    bool higher() {
        keys_.pop_back();
        return true;
    }

    bool names_;
    std::vector<std::map<std::string, std::string>> keys_;
};

}  // namespace

void check_json(const std::string& text, bool names, size_t max_bytes) {
    if (text.size() > max_bytes) {
        throw std::runtime_error("it is larger than " + std::to_string(max_bytes >> 20) + " MiB");
    }
    if (text.rfind("\xef\xbb\xbf", 0) == 0) throw std::runtime_error("it begins with a byte order mark");
    // nlohmann takes it for the end.
    if (text.find('\0') != std::string::npos) throw std::runtime_error("it has a zero byte");
    Check check(names);
    Json::sax_parse(text, &check);
}

Json parse_json(const std::string& text, bool names, size_t max_bytes) {
    check_json(text, names, max_bytes);
    return Json::parse(text);
}

std::string read_bytes(const fs::path& path, size_t max_bytes) {
    std::ifstream stream(path, std::ios::binary);
    std::string text;
    std::vector<char> piece(1 << 16);
    while (stream && text.size() <= max_bytes) {
        stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        text.append(piece.data(), static_cast<size_t>(stream.gcount()));
    }
    if (!stream.eof() && text.size() <= max_bytes) {
        throw Refused(path.filename().u8string() + " cannot be read", "fetch the bundle again");
    }
    return text;
}

}  // namespace edgekit

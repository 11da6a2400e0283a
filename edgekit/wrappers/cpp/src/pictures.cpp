#include "pictures.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "refused.h"
#include "resample.h"
#include "words.h"

namespace edgekit {

const Type RGB8{"rgb8", "", 1, 'p', 0};

namespace {

constexpr int64_t MOST_PIXELS = 100'000'000;  // a larger picture is more likely a mistake than an input

Refused wrong(const std::string& message, const std::string& next = "") { return Refused(message, next, "usage"); }

struct Size {
    int height, width;
};

Pixels pixels_of(const View& view) {
    const auto shape = view.shape;
    const auto pixel = static_cast<size_t>(view.pixels.bytes);
    const bool flat = shape.size() == 2 || (shape.size() == 3 && shape[2] == view.pixels.bytes);
    if (!flat || shape[0] < 1 || shape[1] < 1 || shape[0] > MOST_PIXELS / shape[1]) {
        throw wrong("a picture has the shape " + shape_words(shape),
                    "give [height, width], of at most " + std::to_string(MOST_PIXELS) + " pixels");
    }
    const auto height = static_cast<size_t>(shape[0]), width = static_cast<size_t>(shape[1]);
    if (!view.data || view.bytes % height || view.bytes / height < pixel * width) {
        throw wrong("a picture of " + shape_words(shape) + " has " + std::to_string(view.bytes) + " bytes",
                    std::string("give rows of ") + (pixel == 3 ? "three" : "four") +
                        " bytes a pixel, all as long as one another");
    }
    return {static_cast<const uint8_t*>(view.data), static_cast<int>(width), static_cast<int>(height),
            view.pixels.bytes, view.bytes / height};
}

// As Pillow makes grey of RGB.
Picture grey(const Pixels& from) {
    Picture made(from.width, from.height, 1);
    uint8_t* to = made.data.data();
    for (int row = 0; row < from.height; ++row) {
        const uint8_t* pixel = from.data + static_cast<size_t>(row) * from.stride;
        for (int column = 0; column < from.width; ++column, pixel += 3) {
            *to++ = static_cast<uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
        }
    }
    return made;
}

int rounded(double value) { return static_cast<int>(std::nearbyint(value)); }  // halves to even, as Python does

// Of the form, else of the model, else the picture's own.
Size size_of(const Json& form, const Json& shape, const Pixels& picture) {
    const auto multiple = value_or(form, "multiple", 1), most = value_or(form, "max_side", 0);
    const double longest = std::max(picture.height, picture.width);
    const double ratio = most ? std::min(1.0, most / longest) : 1.0;
    const bool last = value_or<std::string>(form, "layout", "NCHW") == "NHWC";
    const auto side = [&](const char* name, size_t at, int own) {
        if (has(form, name)) return form.at(name).get<int>();
        const size_t axis = at + (last ? 1 : 2);
        if (shape.size() == 4 && shape[axis].is_number_integer() && shape[axis] != 0) return shape[axis].get<int>();
        return std::max(multiple, rounded(own * ratio / multiple) * multiple);
    };
    const Size size{side("height", 0, picture.height), side("width", 1, picture.width)};
    if (size.height < 1 || size.width < 1 || size.height > MOST_PIXELS / size.width) {
        throw Refused("the contract makes pictures of " + std::to_string(size.height) + " x " +
                      std::to_string(size.width));
    }
    return size;
}

// The largest part of a picture that has the ratio of a size, from its middle: Pillow's ImageOps.fit.
Box middle(const Pixels& picture, Size size) {
    const double wide = picture.width, high = picture.height;
    const double own = wide / high, wanted = static_cast<double>(size.width) / size.height;
    const double width = own > wanted ? wanted * high : wide, height = own < wanted ? wide / wanted : high;
    const double left = (wide - width) * 0.5, top = (high - height) * 0.5;
    return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + width),
            static_cast<float>(top + height)};
}

// What a picture is scaled to before its centre is cut out; as transformers rounds it.
Size before_the_cut(const Json& form, const Pixels& picture) {
    if (has(form, "resized")) return {form.at("resized").at(0).get<int>(), form.at("resized").at(1).get<int>()};
    if (!has(form, "shortest")) return {picture.height, picture.width};
    const auto shortest = form.at("shortest").get<int64_t>();
    const auto [small, large] = std::minmax(picture.height, picture.width);
    const auto other = static_cast<int>(static_cast<double>(shortest * large) / small);
    const auto side = static_cast<int>(shortest);
    return picture.width <= picture.height ? Size{other, side} : Size{side, other};
}

int half(int difference) { return difference >= 0 ? difference / 2 : -((1 - difference) / 2); }  // rounded down

// A whole picture in its own ratio, and around it pixels of one value.
Picture boxed(const Json& form, const Pixels& picture, Size size) {
    const auto fill = value_or(form, "fill", 0);
    const auto place = value_or<std::string>(form, "place", "center");
    const bool center = place == "center";
    if ((!center && place != "top-left") || fill < 0 || fill > std::numeric_limits<uint8_t>::max()) {
        throw Refused("the contract puts pictures at " + quoted(place) + " among " + std::to_string(fill),
                      "take a newer edgekit");
    }
    const double ratio =
        std::min(static_cast<double>(size.height) / picture.height, static_cast<double>(size.width) / picture.width);
    const auto side = [&](int own) {  // rounded as Ultralytics does, cut off as YOLOX does
        return std::max(1, center ? rounded(own * ratio) : static_cast<int>(own * ratio));
    };
    const int width = side(picture.width), height = side(picture.height);
    const Picture scaled =
        resized(picture, width, height, value_or<std::string>(form, "resample", "bilinear"),
                {0, 0, static_cast<float>(picture.width), static_cast<float>(picture.height)});
    const int left = center ? (size.width - width) / 2 : 0, top = center ? (size.height - height) / 2 : 0;
    return cropped(scaled.pixels(), -left, -top, size.width, size.height, static_cast<uint8_t>(fill));
}

// It may be narrower than the size, where zeros come behind it.
Picture fitted(const Json& form, const Pixels& picture, Size size) {
    const auto fit = value_or<std::string>(form, "fit", "stretch");
    const auto filter = value_or<std::string>(form, "resample", "bilinear");
    const Box whole{0, 0, static_cast<float>(picture.width), static_cast<float>(picture.height)};
    if (fit == "stretch") return resized(picture, size.width, size.height, filter, whole);
    if (fit == "crop-center") return resized(picture, size.width, size.height, filter, middle(picture, size));
    if (fit == "pad-right") {
        const int64_t across = (int64_t{size.height} * picture.width + picture.height - 1) / picture.height;
        const auto shown = static_cast<int>(std::min<int64_t>(size.width, across));
        return resized(picture, shown, size.height, filter, whole);
    }
    if (fit == "letterbox") return boxed(form, picture, size);
    if (fit != "resize-crop") throw Refused("the contract fits pictures by " + quoted(fit), "take a newer edgekit");
    const Size before = before_the_cut(form, picture);
    if (before.height < 1 || before.width < 1 || before.height > MOST_PIXELS / before.width) {
        throw wrong("the picture is too narrow to be scaled", "cut it nearer to a square");
    }
    const Picture scaled = resized(picture, before.width, before.height, filter, whole);
    return cropped(scaled.pixels(), half(before.width - size.width), half(before.height - size.height), size.width,
                   size.height);
}

uint16_t float_to_half(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    const float size = std::abs(value);
    if (std::isnan(value)) return sign | 0x7E00;
    if (size >= 65520.0F) return sign | 0x7C00;
    int exponent = 0;
    std::frexp(size, &exponent);
    exponent = std::max(exponent - 1, -14);  // of what a half holds without its leading bit
    const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
    return static_cast<uint16_t>(sign | (steps < 1024 ? steps : steps - 1024 + ((exponent + 15) << 10)));
}

template <typename T>
void store(std::byte* at, float value) {
    if constexpr (std::is_integral_v<T>) {
        const double least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
        const auto kept = static_cast<T>(std::clamp<double>(std::nearbyint(value), least, most));
        std::memcpy(at, &kept, sizeof kept);
    } else {
        const auto kept = static_cast<T>(value);
        std::memcpy(at, &kept, sizeof kept);
    }
}

void store_half(std::byte* at, float value) {
    const uint16_t kept = float_to_half(value);
    std::memcpy(at, &kept, sizeof kept);
}

using Store = void (*)(std::byte* at, float value);

Store store_of(const std::string& type) {
    if (type == "float32") return store<float>;
    if (type == "float16") return store_half;
    if (type == "float64") return store<double>;
    if (type == "uint8") return store<uint8_t>;
    if (type == "int8") return store<int8_t>;
    if (type == "int32") return store<int32_t>;
    return nullptr;
}

Array empty_array(const Json& input, std::vector<int64_t> shape) {
    const auto type = input.at("dtype").get<std::string>();
    Array made;
    made.type = type_by_name(type);
    if (!made.type || !store_of(type)) {
        throw wrong("the input " + quoted(input.at("name").get<std::string>()) + " is " + type, "give infer its array");
    }
    made.shape = std::move(shape);
    made.data.resize(elements(made.shape) * made.type->size);
    return made;
}

// One of mean or std, for a channel.
float of_channel(const Json& form, const char* name, float otherwise, size_t channel, size_t channels) {
    const auto values = value_or(form, name, std::vector<float>{otherwise});
    if (values.size() != 1 && values.size() != channels) {
        throw Refused(std::string("the contract's ") + name + " is not of " + std::to_string(channels) + " channels");
    }
    return values[values.size() == 1 ? 0 : channel];
}

}  // namespace

Array of_picture(const Json& input, const View& picture) {
    const std::string name = quoted(input.at("name").get<std::string>());
    const Json form = value_or(input, "preprocess", Json::object());
    if (value_or<std::string>(form, "kind", "") != "image") {
        throw wrong("the bundle's contract does not say how a picture becomes the input " + name,
                    "give infer its array, or build the bundle with --input-spec");
    }
    const auto order = value_or<std::string>(form, "channels", "RGB");
    Pixels pixels = pixels_of(picture);
    const Picture turned = picture.pixels.plain() ? Picture(0, 0, 3) : upright(pixels, picture.pixels);
    if (!picture.pixels.plain()) pixels = turned.pixels();
    const Size size = size_of(form, input.at("shape"), pixels);
    const Picture plain = order == "L" ? grey(pixels) : Picture(0, 0, 3);
    if (order == "L") pixels = plain.pixels();
    const Picture fit = fitted(form, pixels, size);

    const auto channels = static_cast<size_t>(fit.channels);
    const auto rows = static_cast<size_t>(size.height), columns = static_cast<size_t>(size.width);
    const bool last = value_or<std::string>(form, "layout", "NCHW") == "NHWC";
    const int64_t high = size.height, wide = size.width, deep = fit.channels;
    Array made = empty_array(
        input, last ? std::vector<int64_t>{1, high, wide, deep} : std::vector<int64_t>{1, deep, high, wide});
    const Store put = store_of(made.type->name);
    const auto scale = static_cast<float>(value_or(form, "scale", 1.0 / 255));
    for (size_t channel = 0; channel < channels; ++channel) {
        const float mean = of_channel(form, "mean", 0, channel, channels),
                    std = of_channel(form, "std", 1, channel, channels);
        const uint8_t* const from = fit.data.data() + (order == "BGR" ? channels - 1 - channel : channel);
        for (size_t row = 0; row < rows; ++row) {
            for (size_t column = 0; column < static_cast<size_t>(fit.width); ++column) {  // behind it are zeros
                const size_t at =
                    last ? (row * columns + column) * channels + channel : (channel * rows + row) * columns + column;
                const auto byte = static_cast<float>(from[row * fit.stride() + column * channels]);
                put(made.data.data() + at * made.type->size, (byte * scale - mean) / std);
            }
        }
    }
    return made;
}

Array of_fixed(const Json& input) {
    const Json form = value_or(input, "preprocess", Json::object());
    if (value_or<std::string>(form, "kind", "") != "fixed") {
        throw wrong("the model takes more than a picture: the input " + quoted(input.at("name").get<std::string>()),
                    "give infer all inputs; a picture as a tensor of the type rgb8");
    }
    Array made = empty_array(input, value_or(form, "shape", std::vector<int64_t>{}));
    const Store put = store_of(made.type->name);
    const auto value = value_or(form, "value", 0.0F);
    for (size_t at = 0; at < made.size(); ++at) put(made.data.data() + at * made.type->size, value);
    return made;
}

std::vector<Class> best_classes(const View& scores, const std::vector<std::string>& labels, size_t most) {
    Array row{scores.type, {scores.shape.back()}, {}, {}};
    row.data.resize(row.size() * row.type->size);
    std::memcpy(row.data.data(), scores.data, row.data.size());
    std::vector<size_t> order(row.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto score = [&row](size_t at) {
        const double value = value_at(row, at);
        return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score(a) > score(b); });
    std::vector<Class> best;
    for (const size_t at : order) {
        if (best.size() == most) break;
        best.push_back({at, at < labels.size() ? labels[at] : "", value_at(row, at)});
    }
    return best;
}

}  // namespace edgekit

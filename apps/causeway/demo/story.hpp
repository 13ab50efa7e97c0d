// Story: what the demo says, as numbered steps of short lines, and whether all it claimed was so.
//
// Threading: one thread. Every line is written out at once.
#pragma once

#include <string>

namespace causeway::demo {

class Story {
public:
    enum class Colour { no, yes };
    explicit Story(Colour colour) : colour_(colour) {}
    // Coloured if standard output is a terminal.
    [[nodiscard]] static Story on_standard_output();

    void title(const std::string& text);
    // "3  TEXT"
    void step(const std::string& text);
    void line(const std::string& text);
    // "ok TEXT" or "NOT SO: TEXT"; returns `so`.
    bool claim(bool so, const std::string& text);
    // Something that cannot be shown here; not a failure.
    void not_shown(const std::string& text);

    [[nodiscard]] int claims() const noexcept { return claims_; }
    [[nodiscard]] int wrong() const noexcept { return wrong_; }

private:
    void print(const char* colour, const std::string& mark, const std::string& text);

    Colour colour_;
    int steps_ = 0;
    int claims_ = 0;
    int wrong_ = 0;
};

}  // namespace causeway::demo

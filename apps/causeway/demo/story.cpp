#include "demo/story.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace causeway::demo {
namespace {

constexpr const char* kPlain = "\033[0m";
constexpr const char* kBold = "\033[1m";
constexpr const char* kGreen = "\033[32m";
constexpr const char* kRed = "\033[1;31m";
constexpr const char* kYellow = "\033[33m";

}  // namespace

Story Story::on_standard_output() {
    return Story(::isatty(STDOUT_FILENO) == 1 ? Colour::yes : Colour::no);
}

void Story::print(const char* colour, const std::string& mark, const std::string& text) {
    if (colour_ == Colour::yes)
        fmt::print("{}{}{}{}\n", colour, mark, kPlain, text);
    else
        fmt::print("{}{}\n", mark, text);
    std::fflush(stdout);
}

void Story::title(const std::string& text) { print(kBold, text, ""); }

void Story::step(const std::string& text) {
    print(kBold, fmt::format("\n{}  {}", ++steps_, text), "");
}

void Story::line(const std::string& text) { print(kPlain, "      ", text); }

bool Story::claim(bool so, const std::string& text) {
    ++claims_;
    if (so) {
        print(kGreen, "   ok ", text);
    } else {
        ++wrong_;
        print(kRed, "   NOT SO: ", text);
    }
    return so;
}

void Story::not_shown(const std::string& text) { print(kYellow, "   -- ", text); }

}  // namespace causeway::demo

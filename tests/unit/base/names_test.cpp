#include "base/names.hpp"

#include <gtest/gtest.h>

#include <string>

namespace causeway {
namespace {

TEST(Names, AcceptsTheWholeAlphabet) {
    for (const char* good : {"a", "Z9", "orders-2.eu_west", "...", ".hidden", "-", "a.."}) {
        EXPECT_TRUE(check_name("partition", good).has_value()) << good;
    }
    EXPECT_TRUE(check_name("partition", std::string(63, 'n')).has_value());
}

TEST(Names, RefusesEverythingElseAndSaysWhy) {
    const auto text = [](std::string_view name) {
        const auto result = check_name("service", name);
        if (result.has_value())
            return std::string("accepted");
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
        return result.error().text;
    };
    EXPECT_NE(text("").find("service name \"\" is empty"), std::string::npos) << text("");
    EXPECT_NE(text(std::string(64, 'n')).find("has 64 characters"), std::string::npos);
    EXPECT_NE(text("a/b").find("byte 0x2f as character 2"), std::string::npos) << text("a/b");
    EXPECT_NE(text("..").find("is a directory's"), std::string::npos);
    EXPECT_NE(text(".").find("is a directory's"), std::string::npos);
    EXPECT_NE(text("caf\xc3\xa9").find("byte 0xc3"), std::string::npos);
    EXPECT_NE(text(std::string_view("a\0b", 3)).find("byte 0x00"), std::string::npos);
    EXPECT_NE(text("a b").find("0x20"), std::string::npos);
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool allowed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
        EXPECT_EQ(check_name("x", std::string("n") + c).has_value(), allowed) << byte;
    }
}

TEST(Names, SplitsTargets) {
    const Target target = split_target("billing/invoices").value();
    EXPECT_EQ(target.partition, "billing");
    EXPECT_EQ(target.service, "invoices");
    for (const char* bad : {"billing", "", "/", "a/", "/b", "a/b/c", "a//b", "../b", "a/b "}) {
        const auto result = split_target(bad);
        ASSERT_FALSE(result.has_value()) << bad;
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    }
    EXPECT_NE(split_target("billing").error().text.find("PARTITION/SERVICE"), std::string::npos);
}

TEST(Names, StoresTextWithPaddingAndNeverCuts) {
    char array[8];
    std::fill(std::begin(array), std::end(array), 'x');
    ASSERT_TRUE(store_text(array, "seven77").has_value());
    EXPECT_STREQ(array, "seven77");
    ASSERT_TRUE(store_text(array, "ab").has_value());
    EXPECT_EQ(std::string(array, 8), std::string("ab\0\0\0\0\0\0", 8));
    const auto result = store_text(array, "eight888");
    ASSERT_FALSE(result.has_value());
    EXPECT_NE(result.error().text.find("has 8 bytes; at most 7"), std::string::npos);
    EXPECT_FALSE(store_text(array, std::string_view("a\0b", 3)).has_value());
    EXPECT_FALSE(store_text(std::span<char>(), "").has_value());
}

TEST(Names, LoadsOnlyTerminatedAndPaddedText) {
    const auto load = [](std::string bytes) {
        const auto view = load_text(std::span<const char>(bytes));
        return view.has_value() ? std::string(*view) : std::string("refused");
    };
    EXPECT_EQ(load(std::string("ab\0\0", 4)), "ab");
    EXPECT_EQ(load(std::string("abc\0", 4)), "abc");
    EXPECT_EQ(load(std::string("\0\0\0\0", 4)), "");
    EXPECT_EQ(load("abcd"), "refused") << "no NUL inside";
    EXPECT_EQ(load(std::string("a\0b\0", 4)), "refused") << "something behind the NUL";
    EXPECT_EQ(load(""), "refused");
    const char name[8] = "ord ers";
    EXPECT_EQ(load_name("partition", name).error().code, ErrorCode::invalid_argument);
    const char good[8] = "orders";
    EXPECT_EQ(load_name("partition", good).value(), "orders");
}

TEST(Names, PrintableTakesAwayWhatATerminalObeys) {
    EXPECT_EQ(printable("a\x1b[2Jb\n\x7f\xff"), "a?[2Jb???");
    EXPECT_EQ(printable("it's \"x\""), "it?s ?x?");
    EXPECT_EQ(printable(std::string(100, 'n'), 10), "nnnnnnnnnn...");
}

}  // namespace
}  // namespace causeway

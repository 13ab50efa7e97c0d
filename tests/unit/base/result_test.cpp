#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace causeway {
namespace {

Result<int> number(bool good) {
    if (!good)
        return fail_format(ErrorCode::not_found, "no number %d", 7);
    return 42;
}

Result<std::string> doubled(bool good) {
    CW_TRY_ASSIGN(const int value, number(good));
    CW_TRY(number(good));
    return std::to_string(2 * value);
}

Result<std::unique_ptr<int>> pointer(bool good) {
    CW_TRY_ASSIGN(auto first, Result<std::unique_ptr<int>>(std::make_unique<int>(1)));
    CW_TRY_ASSIGN(*first, number(good));
    return first;
}

Result<void> nothing(bool good) {
    CW_TRY(doubled(good));
    return {};
}

TEST(Result, TryPassesValuesOn) {
    EXPECT_EQ(doubled(true).value(), "84");
    EXPECT_EQ(*pointer(true).value(), 42);
    EXPECT_TRUE(nothing(true).has_value());
}

TEST(Result, TryLeavesWithTheErrorUnchanged) {
    for (const Error& error :
         {doubled(false).error(), pointer(false).error(), nothing(false).error()}) {
        EXPECT_EQ(error.code, ErrorCode::not_found);
        EXPECT_EQ(error.text, "no number 7");
    }
}

TEST(Result, ValueOfAnErrorThrowsItsText) {
    try {
        static_cast<void>(number(false).value());
        FAIL() << "no exception";
    } catch (const BadResult& bad) {
        EXPECT_EQ(bad.code(), ErrorCode::not_found);
        EXPECT_STREQ(bad.what(), "no number 7");
    }
}

TEST(Result, FormatsTextsLongerThanAnyBuffer) {
    const std::string longer(5000, 'x');
    EXPECT_EQ(format_text("<%s>", longer.c_str()), "<" + longer + ">");
    EXPECT_EQ(format_text("%s", std::string(255, 'y').c_str()), std::string(255, 'y'));
    EXPECT_EQ(format_text("%s", std::string(256, 'z').c_str()), std::string(256, 'z'));
    EXPECT_EQ(format_text("%s", ""), "");
}

TEST(Result, NamesTheErrno) {
    const Result<void> result = fail_errno_format(ENOENT, "open %s", "/nowhere");
    EXPECT_EQ(result.error().code, ErrorCode::system);
    EXPECT_EQ(result.error().text, "open /nowhere: No such file or directory");
    EXPECT_NE(errno_text(123456), "");
}

TEST(Result, MapsErrnoToCodes) {
    EXPECT_EQ(errno_code(ENOMEM), ErrorCode::no_memory);
    EXPECT_EQ(errno_code(EMFILE), ErrorCode::limit_reached);
    EXPECT_EQ(errno_code(ENFILE), ErrorCode::limit_reached);
    EXPECT_EQ(errno_code(EACCES), ErrorCode::denied);
    EXPECT_EQ(errno_code(EAGAIN), ErrorCode::again);
    EXPECT_EQ(errno_code(EPIPE), ErrorCode::peer_gone);
    EXPECT_EQ(errno_code(EINVAL), ErrorCode::system);
}

TEST(Result, ContextGoesInFront) {
    const Result<int> result = fail_within("register", Error{ErrorCode::denied, "not yours"});
    EXPECT_EQ(result.error().code, ErrorCode::denied);
    EXPECT_EQ(result.error().text, "register: not yours");
}

TEST(Result, EveryNumberHasAName) {
    for (int i = 0; i < abi::kErrorCount; ++i) {
        EXPECT_STRNE(error_name(static_cast<ErrorCode>(i)), "unknown") << i;
    }
    EXPECT_STREQ(error_name(ErrorCode::none), "none");
    EXPECT_STREQ(error_name(ErrorCode::forked), "forked");
    EXPECT_STREQ(error_name(ErrorCode::unsupported), "unsupported");
    EXPECT_STREQ(error_name(static_cast<ErrorCode>(-1)), "unknown");
    EXPECT_STREQ(error_name(static_cast<ErrorCode>(abi::kErrorCount)), "unknown");
    EXPECT_STREQ(status_name(Status::success), "success");
    EXPECT_STREQ(status_name(Status::receiver_not_ready), "receiver_not_ready");
    EXPECT_STREQ(status_name(Status::denied), "denied");
    EXPECT_STREQ(status_name(static_cast<Status>(abi::kStatusCount)), "unknown");
}

}  // namespace
}  // namespace causeway

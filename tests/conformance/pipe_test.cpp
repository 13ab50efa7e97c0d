// Pipes: bytes in order, half-close, back-pressure, readiness, and ends that go.
#include <causeway/ipc.hpp>
#include <thread>
#include <vector>

#include "conformance/ipc_fixture.hpp"

namespace causeway::test {
namespace {

using ipc::kNow;

class Pipes : public Ipc {
protected:
    struct Ends {
        ipc::Pipe a, b;
    };
    [[nodiscard]] Ends make(const ipc::Options& terms) {
        auto listener = ipc::PipeListener::open(b.partition, "pipe", terms).value();
        auto mine = ipc::Pipe::connect(a.partition, "b/pipe", options(), kNow).value();
        auto other = listener.accept(kWatchdog).value();
        // Both ends look until the other has greeted.
        std::byte none{};
        until([&] {
            EXPECT_EQ(mine.read({&none, 1}, kNow).error().code, ErrorCode::again);
            EXPECT_EQ(other.read({&none, 1}, kNow).error().code, ErrorCode::again);
            return mine.write(ipc::Bytes(&none, 1), kNow).has_value();
        });
        EXPECT_EQ(other.read({&none, 1}, kWatchdog).value(), 1U);
        until([&] { return other.write(ipc::Bytes(&none, 1), kNow).has_value(); });
        EXPECT_EQ(mine.read({&none, 1}, kWatchdog).value(), 1U);
        return {std::move(mine), std::move(other)};
    }
    [[nodiscard]] static ipc::Bytes bytes(std::string_view text) {
        return std::as_bytes(std::span(text));
    }
    // All of it.
    static void say(ipc::Pipe& pipe, std::string_view text) {
        EXPECT_EQ(pipe.write(bytes(text), kWatchdog).value(), text.size());
    }
};
CW_FOR_EVERY_EXECUTOR(Pipes);

TEST_P(Pipes, CarryAStreamInOrder) {
    auto ends = make(options(4, 1000));
    constexpr std::size_t kBytes = 1'000'003;
    std::jthread writer([&] {
        std::vector<std::byte> out(7777);
        std::size_t at = 0;
        while (at < kBytes) {
            const std::size_t length = std::min({out.size(), kBytes - at, 1 + at % 7777});
            for (std::size_t i = 0; i < length; ++i)
                out[i] = Party::pattern(7, at + i);
            at += ends.a.write(ipc::Bytes(out.data(), length), kWatchdog).value();
        }
        ends.a.shutdown().value();
    });
    std::vector<std::byte> in(3001);
    std::size_t at = 0;
    for (;;) {
        const std::size_t got = ends.b.read(in, kWatchdog).value();
        if (got == 0)
            break;
        for (std::size_t i = 0; i < got; ++i)
            ASSERT_EQ(in[i], Party::pattern(7, at + i)) << at + i;
        at += got;
    }
    writer.join();
    EXPECT_EQ(at, kBytes);
}

TEST_P(Pipes, EndEachDirectionByItself) {
    auto ends = make(options());
    say(ends.a, "question");
    ends.a.shutdown().value();
    ends.a.shutdown().value();
    EXPECT_EQ(ends.a.write(bytes("more"), kNow).error().code, ErrorCode::wrong_state);
    char text[32] = {};
    const auto place = std::as_writable_bytes(std::span(text));
    ASSERT_EQ(ends.b.read(place, kWatchdog).value(), 8U);
    EXPECT_STREQ(text, "question");
    EXPECT_EQ(ends.b.read(place, kWatchdog).value(), 0U) << "the end of the stream";
    EXPECT_EQ(ends.b.read(place, kNow).value(), 0U) << "and again";
    say(ends.b, "the answer");
    ASSERT_EQ(ends.a.read(place, kWatchdog).value(), 10U);
    EXPECT_STREQ(text, "the answer");
    ends.b = ipc::Pipe(nullptr);
    EXPECT_EQ(ends.a.read(place, kWatchdog).value(), 0U) << "closing ends the stream as well";
}

TEST_P(Pipes, PushBack) {
    auto ends = make(options(4, 1000));
    const std::string much(100'000, 'x');
    const std::size_t first = ends.a.write(bytes(much), kNow).value();
    EXPECT_LT(first, much.size());
    EXPECT_GE(first, 3000U);
    EXPECT_EQ(ends.a.write(bytes(much), kNow).error().code, ErrorCode::again);
    EXPECT_EQ(ends.a.write(bytes(much), 3ms).error().code, ErrorCode::timed_out);
    std::vector<std::byte> in(much.size());
    std::size_t got = 0;
    while (got < first)
        got += ends.b.read(std::span(in).subspan(got), kWatchdog).value();
    EXPECT_EQ(got, first);
    EXPECT_EQ(ends.b.read(in, kNow).error().code, ErrorCode::again);
    until([&] { return ends.a.write(bytes("on"), kNow).has_value(); });
    EXPECT_EQ(ends.b.read(in, kWatchdog).value(), 2U);
}

TEST_P(Pipes, ShowWhatComesWithoutACopy) {
    auto ends = make(options());
    const std::string text = "more than fits into the completion: 48 characters";
    say(ends.a, text);
    auto view = ends.b.peek(kWatchdog).value();
    EXPECT_EQ(view.size(), text.size());
    ends.b.consume(5).value();
    view = ends.b.peek(kNow).value();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data()), view.size()), text.substr(5));
    EXPECT_EQ(ends.b.consume(view.size() + 1).error().code, ErrorCode::invalid_argument);
    ends.b.consume(view.size()).value();
    EXPECT_EQ(ends.b.peek(kNow).error().code, ErrorCode::again);
}

TEST_P(Pipes, ShowReadinessAtOneDescriptor) {
    auto ends = make(options(2, 100));
    const int reader = ends.b.fd().value();
    const int writer = ends.a.fd().value();
    std::byte in[4096];
    while (readable(reader))
        EXPECT_EQ(ends.b.read(in, kNow).error().code, ErrorCode::again);
    say(ends.a, "x");
    EXPECT_TRUE(readable(reader, kSoon));
    // Room that was given back may still be on its way.
    until([&] {
        while (ends.a.write(bytes("fill"), kNow).has_value()) {}
        return !readable(writer, 50ms);
    });
    // What comes while this end writes is not missed by who sleeps to read.
    EXPECT_EQ(ends.a.read(in, kNow).error().code, ErrorCode::again);
    while (ends.b.read(in, kNow).has_value()) {}
    EXPECT_TRUE(readable(writer, kSoon)) << "room again";
    say(ends.b, "other way");
    until([&] { return ends.a.write(bytes("once more"), kNow).has_value(); });
    for (int i = 0; i < 100 && ends.a.write(bytes("fill"), kNow).has_value(); ++i) {}
    // It also shows that there is room; the message may still be on its way.
    std::size_t got = 0;
    until([&] {
        EXPECT_TRUE(readable(writer, kSoon)) << "something to read";
        got = ends.a.read(in, kNow).value_or(0);
        return got != 0;
    });
    EXPECT_EQ(got, 9U);
    ends.b.shutdown().value();
    EXPECT_EQ(ends.a.read(in, kWatchdog).value(), 0U);
}

TEST_P(Pipes, ReadAllThatCameBeforeTheOtherEndWent) {
    auto ends = make(options());
    const std::string text(50'000, 'y');
    say(ends.a, text);
    ends.a = ipc::Pipe(nullptr);
    std::vector<std::byte> in(60'000);
    std::size_t got = 0;
    for (std::size_t n = 1; n != 0; got += n)
        n = ends.b.read(std::span(in).subspan(got), kWatchdog).value();
    EXPECT_EQ(got, text.size());
    ErrorCode code = ErrorCode::none;
    until([&] {
        const auto sent = ends.b.write(bytes("anybody?"), kNow);
        code = sent ? ErrorCode::none : sent.error().code;
        return code == ErrorCode::peer_gone;
    });
}

TEST_P(Pipes, RefuseBadArguments) {
    auto ends = make(options());
    EXPECT_EQ(ends.a.read({}, kNow).error().code, ErrorCode::invalid_argument);
    std::size_t count = 0;
    EXPECT_EQ(cw_pipe_write(ends.a.raw(), nullptr, 5, 0, &count), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_pipe_read(nullptr, &count, 8, 0, &count), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(ipc::Pipe::connect(a.partition, "b/none", options()).error().code,
              ErrorCode::not_found);
    auto listener = ipc::PipeListener::open(b.partition, "quiet", options()).value();
    EXPECT_EQ(listener.accept(kNow).error().code, ErrorCode::again);
    EXPECT_EQ(listener.accept(2ms).error().code, ErrorCode::timed_out);
    EXPECT_EQ(ends.a.peer(), "b");
    EXPECT_EQ(ends.b.peer(), "a");
}

}  // namespace
}  // namespace causeway::test

// Partitions take all that they get. The adapter's own memory stays within what it states.
#include <gtest/gtest.h>

#include <causeway/abi/control.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/sanitizers.hpp"
#include "platform/limits.hpp"
#include "support/live_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::test {
namespace {

// Everything, until it is refused.
struct Glutton {
    Glutton(const std::string& socket, const std::string& name) : session(socket, name) {
        (void)session.client.call(doorbell_request(abi::DoorbellKind::events));
        (void)session.client.call(doorbell_request(abi::DoorbellKind::mover));
        const std::uint32_t completions = session.open_completions();
        listener = session.listen("door", 1024);
        for (int i = 0; taken(listen_request("door-" + std::to_string(i), 1024)); ++i) {}
        for (;;) {
            const auto made = session.client.call(create_request(completions)).value();
            if (!made.ok())
                break;
            pairs.push_back(made.as<abi::CreateQueuePairReply>().queue_pair);
        }
        while (taken(register_request(4096), region_file(4096).get())) {}
        while (taken(doorbell_request(abi::DoorbellKind::completions))) {}
    }
    template<typename T>
    bool taken(const T& request, int descriptor = -1) {
        const auto reply = session.client.call(request, descriptor);
        things += reply && reply->ok() ? 1 : 0;
        return reply && reply->ok();
    }
    // Every queue pair, as long as descriptors for it last.
    void connect(Glutton& to, const std::string& name) {
        for (std::size_t i = 0; i < std::min(pairs.size(), to.pairs.size()); ++i) {
            if (!taken(connect_request(pairs[i], name + "/door")) ||
                !to.taken(accept_request(to.listener, to.pairs[i])))
                return;
        }
    }

    RawSession session;
    std::uint32_t listener = 0;
    std::vector<std::uint32_t> pairs;
    std::uint64_t things = 0;
};

abi::AdapterRow figures(RawSession& observer) {
    const auto reply = observer.client.call(stats_request(abi::StatsKind::adapter)).value();
    return control::parse_rows<abi::AdapterRow>(reply.bytes).value().rows.at(0);
}

void expect_within(RawSession& observer, const abi::AdapterRow& before) {
    abi::AdapterRow now = figures(observer);
    for (int waited = 0; waited < 100 && now.open_files == before.open_files; ++waited) {
        ::usleep(10'000);  // the figures are looked up now and then
        now = figures(observer);
    }
    const std::uint64_t files = now.open_files - before.open_files;
    std::printf(
        "%llu bytes at first, %llu now, at most %llu; %llu bytes a descriptor, of which "
        "there are %llu\n",
        static_cast<unsigned long long>(before.own_bytes),
        static_cast<unsigned long long>(now.own_bytes),
        static_cast<unsigned long long>(now.own_bytes_most),
        static_cast<unsigned long long>((now.own_bytes - before.own_bytes) / files),
        static_cast<unsigned long long>(files));
    EXPECT_GT(files, 500u);
    EXPECT_LE(now.own_bytes, now.own_bytes_most);
    // All of the descriptors would fit, too.
    const std::uint64_t share = now.own_bytes_most / platform::open_file_limit();
    EXPECT_LE((now.own_bytes - before.own_bytes) / files, share);
}

class OwnMemory : public testing::Test {
protected:
    void SetUp() override {
#if CW_ADDRESS_SANITIZER
        GTEST_SKIP() << "AddressSanitizer takes memory of its own";
#endif
    }
};

TEST_F(OwnMemory, StaysWithinWhatIsStatedForAFewWhoTakeAll) {
    (void)platform::raise_open_file_limit();
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    auto observer = RawSession::observer(adapter.socket());
    const abi::AdapterRow before = figures(observer);
    std::vector<std::unique_ptr<Glutton>> gluttons;
    for (int i = 0; i < 4; ++i) {
        gluttons.push_back(
            std::make_unique<Glutton>(adapter.socket(), "glutton-" + std::to_string(i)));
        EXPECT_GT(gluttons.back()->pairs.size(), 100u);
    }
    for (std::size_t i = 0; i < gluttons.size(); i += 2)
        gluttons[i]->connect(*gluttons[i + 1], "glutton-" + std::to_string(i + 1));
    expect_within(observer, before);
}

TEST_F(OwnMemory, StaysWithinWhatIsStatedForManyWhoTakeLittle) {
    (void)platform::raise_open_file_limit();
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    auto observer = RawSession::observer(adapter.socket());
    const abi::AdapterRow before = figures(observer);
    std::vector<RawSession> many;
    for (int i = 0; i < 300; ++i) {
        many.emplace_back(adapter.socket(), "one-of-many-" + std::to_string(i));
        EXPECT_TRUE(many.back().client.call(register_request(4096), region_file(4096).get())->ok());
    }
    expect_within(observer, before);
}

}  // namespace
}  // namespace causeway::test

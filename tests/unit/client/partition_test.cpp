// Attaching, connecting, accepting, closing in any order, and forking.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "client_world.hpp"
#include "platform/limits.hpp"
#include "support/own_holdings.hpp"

namespace causeway::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class PartitionTest : public ClientTest {
protected:
    [[nodiscard]] static int attach_error(const std::string& socket, const char* name) {
        const cw_attach_options options{sizeof options, socket.c_str(), name, 0};
        cw_partition* none = nullptr;
        const int error = cw_partition_attach(&options, &none);
        EXPECT_EQ(none, nullptr);
        return error;
    }
    [[nodiscard]] Owned<cw_listener> listen() {
        cw_listener* out = nullptr;
        must(cw_listen(partition.get(), "service", 4, &out));
        return Owned<cw_listener>(out);
    }
    [[nodiscard]] bool event() const {
        pollfd file{cw_partition_event_fd(partition.get()), POLLIN, 0};
        return ::poll(&file, 1, 0) == 1;
    }
};

TEST_F(PartitionTest, KnowsItsNameAndSocket) {
    EXPECT_STREQ(cw_partition_name(partition.get()), "tester");
    EXPECT_EQ(cw_partition_socket(partition.get()), adapter.socket());
}

TEST_F(PartitionTest, SaysWhatIsWrongWithAnAttachment) {
    EXPECT_EQ(attach_error("/nonexistent/fabric.sock", "a"), CW_ERROR_NO_ADAPTER);
    EXPECT_NE(std::string(cw_error_text()).find("/nonexistent/fabric.sock"), std::string::npos);
    EXPECT_EQ(attach_error(adapter.socket(), "no/slashes"), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(attach_error(adapter.socket(), std::string(64, 'n').c_str()),
              CW_ERROR_INVALID_ARGUMENT);
    // As the adapter says it.
    EXPECT_EQ(attach_error(adapter.socket(), nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("choose a name"), std::string::npos);
    EXPECT_EQ(attach_error("/" + std::string(200, 'l') + "/fabric.sock", "a"),
              CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(PartitionTest, ConnectWaitsForTheOutcome) {
    Pair pair = create();
    EXPECT_STREQ(cw_queue_pair_peer(pair.here.get()), "");
    EXPECT_STREQ(cw_queue_pair_executor(pair.here.get()), "");
    must(cw_queue_pair_connect(pair.here.get(), "other/service", kSecond));
    EXPECT_STREQ(cw_queue_pair_peer(pair.here.get()), "other");
    EXPECT_STREQ(cw_queue_pair_executor(pair.here.get()), "adapter");
    EXPECT_EQ(cw_queue_pair_connect(pair.here.get(), "other/service", kSecond),
              CW_ERROR_WRONG_STATE);
}

TEST_F(PartitionTest, ConnectSaysWhyItFailed) {
    adapter.connect_outcome = abi::QueuePairState::refused;
    adapter.connect_reason = abi::Error::limit_reached;
    Pair pair = create();
    EXPECT_EQ(cw_queue_pair_connect(pair.here.get(), "other/service", kSecond),
              CW_ERROR_LIMIT_REACHED);
    EXPECT_NE(std::string(cw_error_text()).find("other/service"), std::string::npos);
    Pair another = create();
    EXPECT_EQ(cw_queue_pair_connect(another.here.get(), "no-service", kSecond),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_queue_pair_connect(another.here.get(), "a/b/c", kSecond),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_queue_pair_connect(another.here.get(), nullptr, kSecond),
              CW_ERROR_INVALID_ARGUMENT);
    // A reason that means nothing does not look like success.
    adapter.connect_reason = static_cast<abi::Error>(12345);
    EXPECT_EQ(cw_queue_pair_connect(another.here.get(), "other/service", kSecond),
              CW_ERROR_WRONG_STATE);
}

TEST_F(PartitionTest, AConnectThatTimesOutGoesOn) {
    adapter.connect_outcome = abi::QueuePairState::connecting;
    Pair pair = create();
    EXPECT_EQ(cw_queue_pair_connect(pair.here.get(), "other/service", 1'000'000),
              CW_ERROR_TIMED_OUT);
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CONNECTING);
    must(cw_partition_process_events(partition.get()));
    EXPECT_FALSE(event());
    pair.there->set_state(abi::QueuePairState::connected);
    EXPECT_TRUE(event());
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CONNECTED);
    must(cw_partition_process_events(partition.get()));
    EXPECT_FALSE(event());
}

TEST_F(PartitionTest, AcceptTakesOneConnection) {
    auto listener = listen();
    Pair pair = create();
    EXPECT_EQ(cw_accept(listener.get(), pair.here.get(), 0), CW_ERROR_AGAIN);
    EXPECT_EQ(cw_accept(listener.get(), pair.here.get(), 1'000'000), CW_ERROR_TIMED_OUT);
    adapter.want_connection();
    EXPECT_TRUE(event());
    must(cw_accept(listener.get(), pair.here.get(), kSecond));
    EXPECT_STREQ(cw_queue_pair_peer(pair.here.get()), "somebody");
    EXPECT_EQ(cw_accept(listener.get(), pair.here.get(), 0), CW_ERROR_WRONG_STATE);
}

TEST_F(PartitionTest, AcceptAndConnectWaitAtTheSameTime) {
    adapter.connect_outcome = abi::QueuePairState::connecting;
    auto listener = listen();
    Pair accepting = create();
    Pair connecting = create();
    std::thread accepter(
        [&] { must(cw_accept(listener.get(), accepting.here.get(), 20 * kSecond)); });
    std::thread connecter(
        [&] { must(cw_queue_pair_connect(connecting.here.get(), "other/service", 20 * kSecond)); });
    while (adapter.count(abi::Request::connect) == 0 || adapter.count(abi::Request::accept) == 0)
        std::this_thread::yield();
    connecting.there->set_state(abi::QueuePairState::connected);
    connecter.join();
    adapter.want_connection();
    accepter.join();
}

TEST_F(PartitionTest, TheAdaptersDeathEndsEveryWait) {
    adapter.connect_outcome = abi::QueuePairState::connecting;
    auto listener = listen();
    Pair accepting = create();
    Pair connecting = create();
    std::thread accepter([&] {
        EXPECT_EQ(cw_accept(listener.get(), accepting.here.get(), UINT64_MAX),
                  CW_ERROR_ADAPTER_GONE);
    });
    std::thread connecter([&] {
        EXPECT_EQ(cw_queue_pair_connect(connecting.here.get(), "other/service", UINT64_MAX),
                  CW_ERROR_ADAPTER_GONE);
    });
    while (adapter.count(abi::Request::connect) == 0 || adapter.count(abi::Request::accept) == 0)
        std::this_thread::yield();
    adapter.die();
    accepter.join();
    connecter.join();
    EXPECT_EQ(cw_partition_process_events(partition.get()), CW_ERROR_ADAPTER_GONE);
}

TEST_F(PartitionTest, EverythingMayBeClosedAfterThePartition) {
    auto listener = listen();
    Pair pair = connect();
    must(receive(pair, 1));
    partition.reset();
    EXPECT_EQ(send(pair, 2), CW_OK);  // not promised, but no crash
    cw_completion some[4];
    EXPECT_GE(cw_completion_queue_poll(completions.get(), some, 4), 0);
    pair.here.reset();
    completions.reset();
    memory.reset();
    listener.reset();
    EXPECT_EQ(adapter.count(abi::Request::disconnect), 0);  // the connection's end said it all
}

TEST_F(PartitionTest, LeavesNothingBehind) {
    const auto round = [&] {
        auto second = attach("second");
        cw_completion_queue* queue = nullptr;
        must(cw_completion_queue_create(second.get(), 0, &queue));
        Owned<cw_completion_queue> owned(queue);
        cw_region* region = nullptr;
        must(cw_region_allocate(second.get(), 1 << 20, 0, 0, &region));
        must(cw_region_close(region));
    };
    round();  // the adapter, in this same process, keeps its last doorbell
    ::usleep(20000);
    const auto files = platform::open_file_count();
    const std::size_t mappings = countable_mappings();
    ASSERT_TRUE(files.has_value());
    for (int i = 0; i < 5; ++i)
        round();
    EXPECT_EQ(settle(files, platform::open_file_count), files);
    EXPECT_EQ(settle(mappings, countable_mappings), mappings);
}

// ---- fork

TEST_F(PartitionTest, AChildGetsCleanErrorsAndTheParentIsUndisturbed) {
    auto listener = listen();
    Pair pair = connect();
    must(receive(pair, 1, 16));
    const int requests = adapter.count(abi::Request::disconnect);
    const pid_t child = ::fork();
    if (child == 0) {
        cw_region* region = nullptr;
        cw_queue_pair* made = nullptr;
        cw_completion_queue* queue = nullptr;
        cw_listener* other = nullptr;
        cw_completion one;
        std::uint64_t offset = 0;
        cw_queue_pair_options options{};
        options.size = sizeof options;
        options.completions = completions.get();
        const cw_slice none{nullptr, 0, 0};
        const cw_remote remote{};
        const int results[] = {
            cw_region_allocate(partition.get(), 4096, 0, 0, &region),
            cw_region_adopt(partition.get(), nullptr, 4096, 0, 0, &region),
            cw_region_append_offset(memory.get(), &offset),
            cw_completion_queue_create(partition.get(), 1, &queue),
            -cw_completion_queue_poll(completions.get(), &one, 1),
            -cw_completion_queue_wait(completions.get(), &one, 1, UINT64_MAX, CW_WAIT_BLOCK),
            -cw_completion_queue_fd(completions.get()),
            -cw_completion_queue_arm(completions.get()),
            cw_queue_pair_create(partition.get(), &options, &made),
            cw_queue_pair_connect(pair.here.get(), "a/b", UINT64_MAX),
            -cw_queue_pair_state_of(pair.here.get()),
            cw_post_send(pair.here.get(), &none, 1, 1, 0, 0),
            cw_post_receive(pair.here.get(), &none, 1, 1),
            cw_post_write(pair.here.get(), &none, 1, &remote, 1, 0, 0),
            cw_post_read(pair.here.get(), &none, 1, &remote, 1, 0),
            cw_post_append(pair.here.get(), &none, 1, &remote, 1, 0),
            cw_listen(partition.get(), "s", 1, &other),
            cw_accept(listener.get(), pair.here.get(), UINT64_MAX),
            cw_partition_process_events(partition.get()),
            -cw_partition_event_fd(partition.get()),
        };
        int bad = 0;
        for (std::size_t i = 0; i < std::size(results); ++i) {
            if (results[i] != CW_ERROR_FORKED && bad == 0)
                bad = 10 + static_cast<int>(i);
        }
        if (cw_region_data(memory.get()) != nullptr || cw_region_size(memory.get()) != 0)
            bad = 100;
        // Attach anew, and use it.
        if (bad == 0) {
            auto own = attach("child");
            cw_region* mine = nullptr;
            if (cw_region_allocate(own.get(), 4096, 0, 0, &mine) != CW_OK)
                bad = 101;
            else
                static_cast<char*>(cw_region_data(mine))[0] = 1;
            if (mine != nullptr && cw_region_close(mine) != CW_OK)
                bad = 102;
        }
        // Only frees memory, in any order.
        pair.here.reset();
        completions.reset();
        partition.reset();
        if (cw_region_close(memory.release()) != CW_ERROR_FORKED)
            bad = 103;
        listener.reset();
        ::_exit(bad);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(adapter.count(abi::Request::disconnect), requests);
    EXPECT_EQ(adapter.count(abi::Request::deregister_region), 1);  // the child's own

    must(send(pair, 2));
    pair.there->complete_send(FakeEnd::success(abi::Opcode::send, 0, 64));
    abi::Completion message = FakeEnd::success(abi::Opcode::receive, 0, 16);
    message.flags = abi::completion_flag::kPayload;
    std::memcpy(message.payload, "still here......", 16);
    pair.there->complete_receive(message);
    EXPECT_EQ(poll().size(), 2U);
    EXPECT_EQ(std::string(bytes(4096), 10), "still here");
}

}  // namespace
}  // namespace causeway::test

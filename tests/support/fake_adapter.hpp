// An adapter of which the test plays the executor: it speaks the control protocol in a thread of
// its own and hands out real doorbells and queue memory, and moves nothing by itself. It can die,
// be started again, and take back what its `journal` knows.
//
// Threading: the control thread answers; everything else may be called from the test's thread, and
// an end's executor side from one thread at a time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <causeway/abi/control.hpp>
#include <causeway/abi/segment.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "control/server.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"
#include "shm/queue_pair_view.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {

class FakeBell {
public:
    FakeBell();
    // As waker.
    void ring(std::uint32_t bit) {
        if (shm::DoorbellWaker(layout()).ring(bit) == shm::Kick::yes)
            kick();
    }
    void wake_if_asleep() {
        if (shm::DoorbellWaker(layout()).sleeping() == shm::Kick::yes)
            kick();
    }
    void kick() { (void)socket_.notify(); }
    [[nodiscard]] abi::DoorbellLayout* layout() { return page_.at<abi::DoorbellLayout>(); }
    [[nodiscard]] platform::WakeupSocket& socket() { return socket_; }
    // A new socketpair, as a new adapter makes it.
    void renew();

    abi::DoorbellKind kind{};
    platform::UniqueFd page_fd;   // for the partition
    platform::UniqueFd peer_end;  // for the partition, once

private:
    platform::Mapping page_;
    platform::WakeupSocket socket_;
};

// The executor's side of one queue pair.
class FakeEnd {
public:
    FakeEnd(const abi::QueuePairShape& shape, std::shared_ptr<FakeBell> completions,
            std::shared_ptr<FakeBell> events, std::uint32_t ready_bit);

    void set_state(abi::QueuePairState state, abi::Error reason = abi::Error::none);
    // Publishes and tells the partition as an executor must.
    void complete_send(const abi::Completion& completion);
    void complete_receive(const abi::Completion& completion);
    void notify();
    // A successful completion of the send or receive in `slot`.
    [[nodiscard]] static abi::Completion success(abi::Opcode opcode, std::uint32_t slot,
                                                 std::uint32_t length);
    // Takes the next posted send; false if there is none.
    [[nodiscard]] bool take_send(abi::Descriptor& out, std::uint32_t& slot);
    [[nodiscard]] bool take_receive(abi::Descriptor& out, std::uint32_t& slot);
    void publish_taken() { layout().send_taken.store(sends.consumed(), std::memory_order_release); }
    [[nodiscard]] abi::QueuePairLayout& layout() { return view.layout(); }

    platform::UniqueFd memory;
    platform::Mapping mapping;
    shm::QueuePairView view;
    shm::DescriptorConsumer sends;
    shm::DescriptorConsumer receives;
    shm::CompletionProducer send_completions;
    shm::CompletionProducer receive_completions;
    std::shared_ptr<FakeBell> completions;
    std::shared_ptr<FakeBell> events;
    std::uint32_t ready_bit;
    abi::Executor executor = abi::Executor::adapter;
};

// A region that a direct peer of the partition grants, in parts as abi/control.hpp says.
struct FakeGrant {
    FakeGrant() = default;
    FakeGrant(std::uint64_t size, std::uint32_t rights);

    abi::ResolveReply terms{};  // its header is not used
    std::vector<platform::UniqueFd> parts;
};

class FakeAdapter {
public:
    FakeAdapter();
    ~FakeAdapter();
    FakeAdapter(const FakeAdapter&) = delete;
    FakeAdapter& operator=(const FakeAdapter&) = delete;

    [[nodiscard]] std::string socket() const { return directory_ / "fabric.sock"; }
    // Ends all connections, as the death of an adapter does.
    void die();
    // The next adapter, in the same directory. It knows what the last one did.
    void start_again();
    // Ends the connections, and goes on listening.
    void hang_up();
    // What partitions have handed over since the last start, in order: "doorbell 0", "region 1.0",
    // "queue pair 0", "done"; with "?" where the file was another one.
    [[nodiscard]] std::vector<std::string> handed_over();

    // The end of the queue pair that was created as number `index`.
    [[nodiscard]] std::shared_ptr<FakeEnd> end(std::size_t index);
    [[nodiscard]] std::shared_ptr<FakeBell> events();
    [[nodiscard]] std::shared_ptr<FakeBell> mover_bell();  // null: was not opened
    // A bell between direct peers that was opened under this number; null: was not.
    [[nodiscard]] std::shared_ptr<FakeBell> peer_bell(abi::DoorbellKind kind, std::uint32_t number);
    // A connection that a later accept takes; rings the event.
    void want_connection();
    // What a resolve of `handle` is answered with from now on; without: not_found.
    void grant(std::uint32_t handle, FakeGrant grant);
    void refuse_grant(std::uint32_t handle, abi::Error error);
    // What every open_segment is answered with from now on; without a file: by copies.
    void give_segment(abi::OpenSegmentReply terms, platform::UniqueFd file);
    [[nodiscard]] std::vector<abi::CopySegmentRequest> copies();
    // Requests of one type so far.
    [[nodiscard]] int count(abi::Request type);
    [[nodiscard]] std::vector<abi::RegisterRequest> registered();

    // What a connect does to the queue pair's state.
    std::atomic<abi::QueuePairState> connect_outcome{abi::QueuePairState::connected};
    std::atomic<abi::Error> connect_reason{abi::Error::none};
    // Answered to every registration if not none.
    std::atomic<abi::Error> register_error{abi::Error::none};
    // Does it keep one, that is: give tokens and take partitions back?
    std::atomic<bool> journal{false};
    // Answered to every attempt to resume if not none.
    std::atomic<abi::Error> resume_error{abi::Error::none};
    // The next `hang_ups` requests of this type are not answered: their connections end.
    std::atomic<abi::Request> hang_up_on{};
    std::atomic<int> hang_ups{0};
    // Given to the next region; counts up.
    std::atomic<std::uint32_t> next_handle{1};

private:
    struct Session {
        platform::UniqueFd connection;
        std::uint32_t number = 0;  // as the partition knows it
        std::vector<std::shared_ptr<FakeBell>> bells;
    };
    void listen();
    void run();
    [[nodiscard]] bool serve(Session& session);
    [[nodiscard]] Result<void> answer(Session& session, control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_doorbell(Session& session, control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_queue_pair(Session& session,
                                                 control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_attach(Session& session, control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_resume(Session& session, control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_resolve(Session& session, control::IncomingRequest& request);
    [[nodiscard]] Result<void> answer_segment(Session& session, control::IncomingRequest& request);

    TempDirectory directory_;
    platform::UniqueFd listener_;
    platform::UniqueFd stop_;
    std::mutex lock_;  // guards what follows
    std::vector<std::unique_ptr<Session>> sessions_;
    std::vector<std::shared_ptr<FakeEnd>> ends_;
    std::shared_ptr<FakeBell> events_;
    std::shared_ptr<FakeBell> mover_;
    std::map<std::uint16_t, int> counts_;
    std::vector<abi::RegisterRequest> registered_;
    std::map<std::pair<abi::DoorbellKind, std::uint32_t>, std::shared_ptr<FakeBell>> peer_bells_;
    std::map<std::uint32_t, FakeGrant> grants_;
    std::map<std::uint32_t, abi::Error> refused_grants_;
    abi::OpenSegmentReply segment_{};  // its header is not used
    platform::UniqueFd segment_file_;
    std::vector<abi::CopySegmentRequest> copies_;
    int wanted_ = 0;
    std::uint32_t next_session_ = 1;
    std::map<std::uint32_t, std::vector<std::shared_ptr<FakeBell>>> journal_;  // by session
    std::vector<std::vector<ino_t>> region_files_;  // by handle - 1, while it counts from there
    std::vector<std::string> handed_over_;
    std::thread thread_;
};

}  // namespace causeway::test

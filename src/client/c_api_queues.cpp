// The C ABI: completion queues and queue pairs.
#include <cstring>
#include <string>
#include <string_view>

#include "client/c_api.hpp"

using namespace causeway;                // NOLINT(google-build-using-namespace)
using namespace causeway::client;        // NOLINT(google-build-using-namespace)
using namespace causeway::client::capi;  // NOLINT(google-build-using-namespace)

namespace {

constexpr char kNoQueue[] = "no completion queue given (NULL)";
constexpr char kNoPair[] = "no queue pair given (NULL)";
constexpr char kNoOut[] = "no place for the result given (NULL)";
constexpr char kNoRemote[] = "no remote place given (NULL)";
constexpr std::uint32_t kMostEntries = 1U << 20;

static_assert(CW_BLOCK == static_cast<int>(abi::Patience::block));
static_assert(CW_FAIL == static_cast<int>(abi::Patience::error));
static_assert(CW_BOUNDED == static_cast<int>(abi::Patience::bounded));
static_assert(CW_CLOSED == static_cast<int>(abi::QueuePairState::closed));

[[nodiscard]] Result<QueuePairTerms> terms_of(const cw_queue_pair_options& options) {
    CW_TRY(check_options("cw_queue_pair_options", &options, options.size, sizeof options));
    if (options.completions == nullptr) {
        return fail(ErrorCode::invalid_argument,
                    "a queue pair needs a completion queue: set cw_queue_pair_options.completions");
    }
    const auto patience = static_cast<unsigned>(options.patience);
    if (patience > CW_BOUNDED) {
        return fail_format(ErrorCode::invalid_argument,
                           "patience %u of a queue pair means nothing; take one of cw_patience",
                           patience);
    }
    QueuePairTerms terms;
    if (options.send_entries != 0)
        terms.send_entries = options.send_entries;
    if (options.receive_entries != 0)
        terms.receive_entries = options.receive_entries;
    terms.patience = static_cast<abi::Patience>(patience);
    terms.patience_ns = patience == CW_BOUNDED ? options.patience_ns : 0;
    terms.user = options.user;
    CW_TRY_ASSIGN(terms.executor, executor_named(options.executor));
    return terms;
}

// What every call on a completion queue that fills `out` needs.
[[nodiscard]] int check_take(const cw_completion_queue* queue, const cw_completion* out,
                             int most) noexcept {
    if (queue == nullptr)
        return missing(kNoQueue);
    if (!queue->shared->here())
        return forked();
    if (out == nullptr)
        return missing(kNoOut);
    if (most < 1)
        return missing("room for no completion at all; take at least one");
    return CW_OK;
}

// poll, wait and arm return counts or -cw_error.
[[nodiscard]] int counted(int result) noexcept {
    if (result == -CW_ERROR_ADAPTER_GONE) {
        (void)set_error(
            ErrorCode::adapter_gone,
            "the adapter has ended the connection and all completions were taken: close "
            "the partition and attach anew");
    }
    return result;
}

[[nodiscard]] int post(cw_queue_pair* pair, const SendOrder& order, const cw_slice* slices,
                       std::uint32_t count) noexcept {
    if (pair == nullptr)
        return missing(kNoPair);
    if (!pair->here())
        return forked();
    if (order.remote == nullptr && order.opcode != abi::Opcode::send)
        return missing(kNoRemote);
    return code(pair->post_send(order, slices, count));
}

}  // namespace

namespace causeway::client::capi {

Result<abi::Executor> executor_named(const char* name) {
    const std::string_view wanted = name != nullptr ? name : "any";
    if (wanted.empty() || wanted == "any")
        return abi::Executor::any;
    if (wanted == "adapter")
        return abi::Executor::adapter;
    if (wanted == "direct")
        return abi::Executor::direct;
    if (wanted == "link")
        return abi::Executor::link;
    return fail(ErrorCode::invalid_argument, "executor \"" + std::string(wanted) +
                                                 "\" wanted; there are any, adapter and direct");
}

Result<void> check_wait(const char* what, cw_wait how) {
    if (static_cast<unsigned>(how) <= CW_WAIT_BLOCK)
        return {};
    return fail_format(ErrorCode::invalid_argument,
                       "%s is %u, which means nothing; take one of cw_wait", what,
                       static_cast<unsigned>(how));
}

}  // namespace causeway::client::capi

// ---- completion queues

int cw_completion_queue_create(cw_partition* partition, uint32_t entries,
                               cw_completion_queue** out) {
    if (out == nullptr)
        return missing(kNoOut);
    if (partition == nullptr)
        return missing("no partition given (NULL)");
    if (!partition->shared->here())
        return forked();
    if (entries > kMostEntries) {
        return code(set_error(ErrorCode::invalid_argument,
                              "a completion queue of %llu entries wanted; the most is %llu",
                              entries, kMostEntries));
    }
    // Every queue pair brings completion rings for all that it can have outstanding, so there is
    // nothing to size here.
    return make(out, [&] { return CompletionQueue::create(partition->shared); });
}

void cw_completion_queue_close(cw_completion_queue* queue) { delete queue; }

int cw_completion_queue_poll(cw_completion_queue* queue, cw_completion* out, int most) {
    if (const int error = check_take(queue, out, most); error != CW_OK)
        return -error;
    return counted(queue->shared->poll(out, most));
}

int cw_completion_queue_wait(cw_completion_queue* queue, cw_completion* out, int most,
                             uint64_t timeout_ns, cw_wait how) {
    if (const int error = check_take(queue, out, most); error != CW_OK)
        return -error;
    if (static_cast<unsigned>(how) > CW_WAIT_BLOCK)
        return -guarded([&] { return check_wait("the way of waiting", how); });
    return counted(queue->shared->wait(out, most, timeout_ns, how));
}

int cw_completion_queue_fd(const cw_completion_queue* queue) {
    if (queue == nullptr)
        return -missing(kNoQueue);
    if (!queue->shared->here())
        return -forked();
    return queue->shared->fd();
}

int cw_completion_queue_arm(cw_completion_queue* queue) {
    if (queue == nullptr)
        return -missing(kNoQueue);
    if (!queue->shared->here())
        return -forked();
    return counted(queue->shared->arm());
}

// ---- queue pairs

int cw_queue_pair_create(cw_partition* partition, const cw_queue_pair_options* options,
                         cw_queue_pair** out) {
    if (out == nullptr)
        return missing(kNoOut);
    if (partition == nullptr)
        return missing("no partition given (NULL)");
    if (options == nullptr)
        return missing("no options given (NULL): a completion queue is needed");
    if (!partition->shared->here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const QueuePairTerms terms, terms_of(*options));
        const auto& completions = options->completions->shared;
        if (&completions->partition() != partition->shared.get()) {
            return fail(ErrorCode::invalid_argument,
                        "the completion queue belongs to another partition: create one here");
        }
        auto pair = std::make_unique<cw_queue_pair>(partition->shared, completions, terms);
        pair->handle = pair.get();
        CW_TRY(pair->open());
        *out = pair.release();
        return {};
    });
}

int cw_queue_pair_connect(cw_queue_pair* pair, const char* target, uint64_t timeout_ns) {
    if (pair == nullptr)
        return missing(kNoPair);
    if (target == nullptr)
        return missing("no target given (NULL); name a \"partition/service\"");
    if (!pair->here())
        return forked();
    return guarded([&] { return pair->connect(target, timeout_ns); });
}

int cw_queue_pair_state_of(const cw_queue_pair* pair) {
    if (pair == nullptr)
        return -missing(kNoPair);
    if (!pair->here())
        return -forked();
    return static_cast<int>(pair->state());
}

int cw_queue_pair_explain(cw_queue_pair* pair, uint32_t opcode, char* text, size_t size) {
    if (pair == nullptr)
        return missing(kNoPair);
    if (text == nullptr || size == 0)
        return missing("no room for the text given (NULL, or 0 bytes)");
    if (!pair->here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const std::string why, pair->explain(opcode));
        text[why.copy(text, size - 1)] = '\0';
        return {};
    });
}

const char* cw_queue_pair_peer(const cw_queue_pair* pair) {
    return pair != nullptr ? pair->peer() : "";
}

const char* cw_queue_pair_executor(const cw_queue_pair* pair) {
    return pair != nullptr ? pair->executor() : "";
}

void cw_queue_pair_close(cw_queue_pair* pair) { delete pair; }

// ---- posting

int cw_post_send(cw_queue_pair* pair, const cw_slice* slices, uint32_t count, uint64_t id,
                 uint32_t flags, uint32_t immediate) {
    return post(pair, {abi::Opcode::send, id, flags, immediate, nullptr}, slices, count);
}

int cw_post_receive(cw_queue_pair* pair, const cw_slice* slices, uint32_t count, uint64_t id) {
    if (pair == nullptr)
        return missing(kNoPair);
    if (!pair->here())
        return forked();
    return code(pair->post_receive(slices, count, id));
}

int cw_post_write(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                  const cw_remote* remote, uint64_t id, uint32_t flags, uint32_t immediate) {
    return post(pair, {abi::Opcode::write, id, flags, immediate, remote}, slices, count);
}

int cw_post_read(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                 const cw_remote* remote, uint64_t id, uint32_t flags) {
    return post(pair, {abi::Opcode::read, id, flags, 0, remote}, slices, count);
}

int cw_post_append(cw_queue_pair* pair, const cw_slice* slices, uint32_t count,
                   const cw_remote* remote, uint64_t id, uint32_t flags) {
    return post(pair, {abi::Opcode::append, id, flags, 0, remote}, slices, count);
}

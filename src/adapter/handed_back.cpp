#include "adapter/handed_back.hpp"

#include <fcntl.h>

#include "platform/memfd.hpp"

namespace causeway::adapter {

Result<JournaledFile> journaled(const platform::UniqueFd& file) {
    CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(file.get()));
    return JournaledFile{facts.device, facts.inode};
}

Result<void> require_file(const platform::UniqueFd& file, const JournaledFile& known,
                          std::uint64_t size) {
    if (!file)
        return fail(ErrorCode::invalid_argument, "the memory file must come along (SCM_RIGHTS)");
    const int flags = ::fcntl(file.get(), F_GETFL);
    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) != O_RDWR) {
        return fail(ErrorCode::invalid_argument,
                    "the memory file is not open for reading and writing");
    }
    CW_TRY(platform::require_seals(file.get(), platform::kSizeSeals,
                                   F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
    CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(file.get()));
    if (facts.device != known.device || facts.inode != known.inode || facts.size != size) {
        return fail(ErrorCode::denied,
                    "this is not the memory that the journal knows under that number");
    }
    return {};
}

}  // namespace causeway::adapter

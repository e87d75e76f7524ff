// Where things that are not in the binary lie: the encoder, the local model and its server.
#pragma once

#include <string>

namespace brevet {

/// $BREVET_THIRD_PARTY, else the folder that the build was configured with.
std::string third_party_folder();
std::string encoder_folder();     ///< model.onnx and vocab.txt
std::string llama_server_path();  ///< default of `server` for local models
std::string local_model_path();   ///< default of `file` for local models; empty when there is none
/// What may be made again: $BREVET_CACHE, else brevet under $XDG_CACHE_HOME or ~/.cache, else under $TMPDIR.
std::string eval_cache_folder();
/// Hash of this program's own file, so that what another build kept is not taken for ours; empty if
/// unreadable.
std::string own_build_hash();
/// A fresh, empty folder under $TMPDIR; the caller removes it.
std::string make_temporary_folder(const std::string& prefix);

}  // namespace brevet

// Where things that are not in the binary lie: the encoder, the local model and its server.
#pragma once

#include <string>

namespace brevet {

/// $BREVET_THIRD_PARTY, else the folder that the build was configured with.
std::string third_party_folder();
std::string encoder_folder();     ///< model.onnx and vocab.txt
std::string llama_server_path();  ///< default of `server` for local models
std::string local_model_path();   ///< default of `file` for local models; empty when there is none
/// A fresh, empty folder under $TMPDIR; the caller removes it.
std::string make_temporary_folder(const std::string& prefix);

}  // namespace brevet

// What a bundle may ask of an engine. Made of wrappers/python/rules.py by scripts/rules_header.py:
// change it there, where the reasons are.
#pragma once

namespace edgekit {

constexpr const char* RULES = R"json(
{
 "part": {
  "file": [
   "filename",
   "config_filename",
   "adapter_filename",
   "data_file"
  ],
  "folder": [
   "tokenizer_dir"
  ],
  "part": [
   "encoder",
   "decoder",
   "draft",
   "vision",
   "embedding",
   "speech",
   "joiner",
   "vad",
   "mtp",
   "dflash2",
   "dspark"
  ],
  "parts": [
   "pipeline",
   "shared_initializers"
  ],
  "names": [
   "inputs",
   "outputs",
   "output_names_forwarder"
  ],
  "session": [
   "session_options"
  ],
  "run": [
   "run_options"
  ],
  "value": [
   "bos_token_id",
   "eos_token_id",
   "pad_token_id",
   "sep_token_id",
   "image_token_id",
   "audio_token_id",
   "boa_token_id",
   "video_token_id",
   "vision_start_token_id",
   "decoder_start_token_id",
   "bot_token_id",
   "eot_token_id",
   "bor_token_id",
   "eor_token_id",
   "mask_token_id",
   "context_length",
   "vocab_size",
   "hidden_size",
   "num_attention_heads",
   "num_hidden_layers",
   "num_key_value_heads",
   "head_size",
   "state_update_capacity",
   "conv_cache_size",
   "sliding_window",
   "state_groups",
   "layer_types",
   "num_mels",
   "fft_size",
   "hop_length",
   "win_length",
   "preemph",
   "log_eps",
   "norm_eps",
   "subsampling_factor",
   "left_context",
   "conv_context",
   "pre_encode_cache_size",
   "sample_rate",
   "chunk_samples",
   "blank_id",
   "max_symbols_per_step",
   "left_context_samples",
   "right_context_samples",
   "tdt_durations",
   "spatial_merge_size",
   "tokens_per_second",
   "patch_size",
   "num_visual_tokens",
   "window_size",
   "num_position_embeddings",
   "threshold",
   "silence_duration_ms",
   "prefix_padding_ms",
   "block_size",
   "num_draft_tokens",
   "selector_top_k",
   "aux_hidden_state_layers",
   "run_on_prompt",
   "run_on_token_gen",
   "is_lm_head",
   "inherit_session_options",
   "reset_session_idx",
   "run_on_cpu",
   "ple_token_pad_id",
   "type",
   "main_hidden_states",
   "main_aux_hidden_states",
   "name",
   "offset",
   "length",
   "data_type",
   "shape"
  ]
 },
 "root": {
  "part": [
   "model"
  ],
  "value": [
   "search",
   "speculative",
   "engine"
  ]
 },
 "session": {
  "providers": [
   "provider_options"
  ],
  "value": [
   "log_id",
   "intra_op_num_threads",
   "inter_op_num_threads",
   "log_severity_level",
   "log_verbosity_level",
   "enable_cpu_mem_arena",
   "enable_mem_pattern",
   "graph_optimization_level",
   "ep.share_ep_contexts",
   "ep.stop_share_ep_contexts",
   "mlas.disable_kleidiai",
   "mlas.enable_gemm_fastmath_arm64_bfloat16",
   "mlas.qnbit.force_fp32",
   "mlas.use_lut_gemm",
   "optimization.disable_specified_optimizers",
   "optimization.enable_cast_chain_elimination",
   "optimization.enable_gelu_approximation",
   "session.allow_released_opsets_only",
   "session.disable_aot_function_inlining",
   "session.disable_cpu_ep_fallback",
   "session.disable_double_qdq_remover",
   "session.disable_prepacking",
   "session.disable_qdq_constant_folding",
   "session.disable_quant_qdq",
   "session.dynamic_block_base",
   "session.enable_dq_matmulnbits_fusion",
   "session.enable_quant_qdq_cleanup",
   "session.fail_on_suboptimal_compiled_model",
   "session.force_spinning_stop",
   "session.inter_op.allow_spinning",
   "session.intra_op.allow_spinning",
   "session.qdq_matmulnbits_accuracy_level",
   "session.qdqisint8allowed",
   "session.set_denormal_as_zero",
   "session.strict_shape_type_inference",
   "session.use_device_allocator_for_initializers",
   "session.use_env_allocators",
   "session.x64quantprecision"
  ]
 },
 "run": {
  "value": [
   "disable_synchronize_execution_providers",
   "gpu_graph_id",
   "memory.enable_memory_arena_shrinkage",
   "qnn.htp_perf_mode",
   "qnn.htp_perf_mode_post_run",
   "qnn.rpc_control_latency"
  ]
 },
 "providers": {
  "cpu": [
   "use_arena"
  ],
  "xnnpack": [
   "intra_op_num_threads"
  ],
  "qnn": [
   "backend_type",
   "backend_path",
   "soc_model",
   "htp_arch",
   "device_id",
   "htp_performance_mode",
   "htp_graph_finalization_optimization_mode",
   "enable_htp_fp16_precision",
   "enable_htp_spill_fill_buffer",
   "enable_htp_shared_memory_allocator",
   "enable_htp_weight_sharing",
   "enable_vtcm_backup_buffer_sharing",
   "htp_share_resource_optimization",
   "htp_bf16_enable",
   "enable_htp_prepare_only",
   "enable_block_quant_weight_optimization",
   "offload_graph_io_quantization",
   "qnn_context_priority",
   "rpc_control_latency",
   "vtcm_mb",
   "extended_udma",
   "profiling_level"
  ],
  "coreml": [
   "ModelFormat",
   "MLComputeUnits",
   "RequireStaticInputShapes",
   "EnableOnSubgraphs",
   "SpecializationStrategy",
   "ProfileComputePlan",
   "AllowLowPrecisionAccumulationOnGPU"
  ],
  "nnapi": [
   "use_fp16",
   "use_nchw",
   "cpu_disabled",
   "cpu_only"
  ],
  "dml": [
   "device_id",
   "device_filter",
   "performance_preference",
   "disable_metacommands",
   "enable_graph_capture"
  ],
  "webgpu": [
   "preferredLayout",
   "enableGraphCapture",
   "enableInt64",
   "dawnBackendType",
   "powerPreference",
   "validationMode",
   "deviceId",
   "forceCpuNodeNames",
   "storageBufferCacheMode",
   "uniformBufferCacheMode",
   "queryResolveBufferCacheMode",
   "defaultBufferCacheMode",
   "maxStorageBufferBindingSize",
   "kvCacheQuantizationBits"
  ],
  "cuda": [
   "device_id",
   "enable_cuda_graph",
   "enable_skip_layer_norm_strict_mode",
   "arena_extend_strategy",
   "gpu_mem_limit",
   "cudnn_conv_algo_search",
   "do_copy_in_default_stream",
   "cudnn_conv_use_max_workspace",
   "use_tf32"
  ]
 },
 "only": {
  "backend_path": [
   "QnnHtp.dll",
   "QnnCpu.dll",
   "QnnGpu.dll",
   "libQnnHtp.so",
   "libQnnCpu.so",
   "libQnnGpu.so"
  ],
  "backend_type": [
   "htp",
   "gpu",
   "cpu"
  ],
  "profiling_level": [
   "off"
  ]
 },
 "text": [
  "forceCpuNodeNames",
  "main_hidden_states",
  "main_aux_hidden_states",
  "name"
 ],
 "why": {
  "custom_ops_library": "a library that the engine would run",
  "enable_profiling": "the engine would write files by it",
  "session.optimized_model_filepath": "the engine would write files by it",
  "session.model_external_initializers_file_folder_path": "the engine would look for weights there",
  "ep.context_enable": "the engine would write files by it",
  "ep.context_file_path": "the engine would write files by it"
 },
 "known": [
  "edgekit.json",
  "genai_config.json",
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "tokenizer_module.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
  "chat_template.json",
  "processor_config.json",
  "preprocessor_config.json",
  "audio_processor_config.json",
  "speech_processor.json",
  "vision_processor.json",
  "audio_feature_extraction.json"
 ]
}
)json";

}  // namespace edgekit

"""Keys of a repository's JSON files: which name a file, a path or code, and which a foreign model may bring."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
WEIGHT_NAME = re.compile(r"\w[\w.-]*\.(safetensors|bin)")
PATH_KEY = re.compile(r"(^|_)(files?|filename|paths?|dirs?|directory|folder|repo|repository|ur[il])$|name_or_path|^__")
CODE_KEY = re.compile(r"custom_|auto_map|attribute_map$|sub_configs$|_auto_class$|trust_remote_code$|code_revision$")
REFUSED_KEYS = _words(
    "transformers_weights subfolder gguf_file init_inputs dataset index_name assistant_model audio_tokenizer adapter "
    "adapters vocab merges entity_vocab compile_config continuous_batching_config speaker_embeddings font "
    "kernel_config tokenizer_object"
)
# What these name is looked up in a table of the library, not on the disk.
LOOKED_UP_KEY = re.compile(r"model_type|architectures|\w+_(class|type)|(torch_)?dtype|\w+_version|\w*hidden_act")
# What these hold is shown or read as text.
TEXT_KEY = re.compile(
    r"(\w+_)?(prompts?|prefix|suffix|template|tokens?|labels?|instructions?)|id2label|label2id|id2lang|lang2id|tags_dict"
    r"|stop_strings|finetuning_task|vocab_list|vocabulary_map|lang_to_id|task_to_id|never_split|response_schema"
)
SPECIAL_TOKEN = re.compile(r"(?!use_auth)[a-z0-9]\w*_token|(additional|extra)_special_tokens")
TOKEN_NUMBER = re.compile(r"\w+_token_(ids?|type_id|box|label|sent)")
TOKEN_FIELDS = _words("content lstrip rstrip normalized single_word special __type")
# What of these tokenizer arguments, each a dict for another library, is no path.
NESTED_ARGUMENTS = {
    "sp_model_kwargs": ("enable_sampling", "nbest_size", "alpha", "add_bos", "add_eos", "reverse"),
    "mecab_kwargs": ("do_lower_case", "never_split", "normalize_text", "mecab_dic"),
    "sudachi_kwargs": ("trim_whitespace", "sudachi_split_mode", "sudachi_projection", "sudachi_dict_type"),
    "jumanpp_kwargs": ("trim_whitespace",),
}

# Arguments of the tokenizers of transformers that name no file.
TOKENIZER_KEYS = _words(
    """
    add_blank add_bos_token add_eos_token add_prefix_space additional_special_tokens_ids backend cell_trim_length
    chat_template clean_text clean_up_tokenization_spaces cls_token_segment_id do_basic_tokenize do_clean_text
    do_lower_case do_lowercase do_lowercase_and_remove_accent do_phonemize do_subword_tokenize do_word_tokenize errors
    extra_ids from_slow id2lang is_local is_uroman keep_accents lang2id lang_codes langs language language_codes legacy
    legacy_behaviour local_files_only
    mask_token_sent max_column_id max_depth max_entity_length max_length max_mention_length max_question_length
    max_row_id max_width min_question_length model_input_names model_max_length never_split normalization normalize
    offset only_label_first_subword pad_to_multiple_of pad_width padding padding_side phonemize phonemizer_backend
    phonemizer_lang predict_timestamps processor_class remove_space replace_word_delimiter_char response_schema
    return_attention_mask return_token_type_ids separate_vocabs should_strip_spaces source_lang
    spaces_between_special_tokens split_by_punct split_special_tokens src_lang stride strip_accents strip_column_names
    subword_tokenizer_type tags_dict target_lang task tgt_lang token_type_ids_pattern tokenize_chinese_chars
    tokenizer_class transformers_version trim_offsets truncation truncation_side truncation_strategy unk_id
    update_answer_coordinates use_default_system_prompt use_fast verbose word_tokenizer_type wordpieces_prefix
    """
)
ADAPTER_TEXTS = _words(
    "target_modules exclude_modules modules_to_save layers_pattern rank_pattern alpha_pattern lambda_pattern "
    "block_size_pattern n_frequency_pattern target_parameters feedforward_modules trainable_token_indices"
)
# Fields of peft's configs that name no file, no other checkpoint and no code.
ADAPTER_KEYS = _words(
    """
    ab_svd_init act_fn adapter_layers adapter_len alora_invocation_tokens alpha apply_GS asa_importance_beta
    asa_schedule_exponent asa_target_subspaces asa_uncertainty_beta auxiliary_loss_weight beta1 beta2 bias block_share
    block_size boft_block_num boft_block_size boft_dropout boft_n_butterfly_factor cayley_neumann_eps coft config_A_B
    config_C config_D_E cpt_mask cpt_token_ids cpt_tokens_type_mask d_initial decompose_both decompose_factor
    decomposition_method deft_dropout delora_lambda deltaT depth effective_rank enable_softmax enable_softmax_topk
    encoder_dropout encoder_hidden_size encoder_num_layers encoder_reparameterization_type ensure_weight_tying eps
    fan_in_fan_out final_warmup frod_dropout generator_seed global_scaling_weight gralora_dropout gralora_k group_size
    hidden_size hira_dropout hybrid_r inference_mode init_ia3_weights init_logits_std init_lora_weights init_r
    init_scale init_theta_d_bound init_v_bound init_vector_bank_bound init_warmup init_weights kasa_config
    layer_replication layers_to_transform layerwise_scalings loftq_config lora_alpha lora_bias lora_dropout
    mask_interval mask_type mini_r miss_dropout module_dropout monteclora_config n_frequency n_skills n_splits n_tasks
    num_B num_attention_heads num_cayley_neumann_terms num_frozen_tokens num_layers num_ranks num_subspaces num_tasks
    num_transformer_submodules num_vectors num_virtual_tokens oft_block_size opt_loss_decay_factor
    opt_projection_epsilon opt_projection_format_epsilon opt_weighted_loss_type orth_reg_weight para peft_type
    peft_version poly_type prefix_projection progressbar proj_seed projection_prng_key projection_seed
    proportional_parameters psoft_alpha psoft_dropout psoft_mag_a psoft_mag_b psoft_orth psoft_svd
    psoft_svd_lowrank_niter pvera_dropout qalora_group_size r randlora_alpha randlora_dropout random_loc_seed
    random_seed rank_dropout rank_dropout_scale regularization_alpha revision runtime_offload_base_weight
    sample_at_inference save_indices save_only_topk_weights save_precomputed_indices save_projection scaling
    scaling_pass_value select_top shadow_alpha shadow_dropout shadow_hidden_size shadow_intermediate_size
    shadow_num_attention_heads shadow_num_hidden_layers share_embeddings softmax_temperature sparse sparse_rate
    sparsity stride_A subspace_rank svd_threshold target_r target_svd_config task_type tfinal theta_d_length tinit
    tinylora_dropout token_dim token_indices top_k_lora topk total_step u unilora_dropout update_hidden_size use_asa
    use_bdlora use_cayley_neumann use_dora use_dynamic_rank use_effective_conv2d use_idwt use_qalora use_rslora
    use_trainable_adapters variant vblora_dropout vector_length velora_config vera_dropout very_sparse wavelet_family
    weight_tying xlora_depth xlora_dropout_p xlora_size
    """
)

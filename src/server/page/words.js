/** Every word of the page, in both languages. */
const WORDS = {
  en: {
    lead: "Drop pictures anywhere on this page.",
    choose: "Choose pictures",
    dropHint: "Or paste one. They go to this server and nowhere else.",
    way: "What happens to each:",
    untrained:
      "This network is untrained: it has learnt nothing, and its labels mean nothing about your pictures. It is here to try the way from a picture to an answer.",
    tokenAsk: "This server wants its token. It printed an address with the token when it started.",
    tokenUse: "Use it",
    tokenWrong: "That token is not the server's.",
    clear: "Clear",
    count: (n) => (n === 1 ? "1 picture" : `${n} pictures`),
    promise: "The same answer as PyTorch, bit for bit.",
    waiting: "waits for its turn",
    working: "at the network",
    sees: (side) => `What the network sees: ${side}\u00a0×\u00a0${side}`,
    seesNot: "The worker cropped this one by itself.",
    noPreview: "This browser cannot show it.",
    remove: "Remove",
    again: "Try again",
    compare: "Compare with PyTorch",
    comparing: "Plain PyTorch is asked. The first time it has to start, which takes some seconds.",
    ours: "isotorch",
    theirs: "PyTorch",
    equal: (n) => `Equal in every bit, in all ${n} stages.`,
    equalSome: (n) => `Equal in every bit, in the ${n} stages that could be compared.`,
    diverged: (stage, figures) => `They part at “${stage}”: ${figures}.`,
    refusedBoth: "Both refuse this picture.",
    refusedOne: "Only one of the two takes this picture.",
    total: (ms) => `${ms} ms in all`,
    timings: {
      receive: "received",
      wait: "waited",
      decode: "decoded",
      preprocess: "resized, cropped, normalised",
      forward: "the network",
      rest: "on the way",
    },
    stages: {
      decoded: "decoded",
      resized: "resized",
      cropped: "cropped",
      toTensor: "to tensor",
      normalized: "normalised",
      embedding: "embedding",
      logits: "logits",
      percentages: "percentages",
      order: "order",
      labels: "labels",
    },
    phases: {
      idle: "asleep",
      starting: "starting",
      loading: "loading the network",
      ready: "ready",
      busy: "working",
      "backing-off": "died, about to restart",
      open: "crashed too often, resting",
      draining: "shutting down",
      stopped: "stopped",
      failed: "cannot start",
      silent: "silent",
      unreachable: "the server does not answer",
    },
    facts: {
      network: "Network",
      weights: "Weights",
      sha256: "SHA-256",
      device: "Device",
      torch: "PyTorch",
      starts: "Worker starts",
      queue: "Waiting, at work",
      calls: "Answered, failed",
    },
    threads: (device, n) => `${device}, ${n} threads`,
    errors: {},
  },
  zh: {
    lead: "把图片拖到页面的任意位置。",
    choose: "选择图片",
    dropHint: "也可以直接粘贴。图片只会发送到这台服务器。",
    way: "每张图片依次经过：",
    untrained:
      "这个网络没有经过训练：它什么都没学过，给出的标签与你的图片毫无关系。它只用来试一试从图片到结果的整条路径。",
    tokenAsk: "服务器需要令牌。它启动时打印了一个带令牌的地址。",
    tokenUse: "使用",
    tokenWrong: "令牌不对。",
    clear: "清空",
    count: (n) => `${n} 张图片`,
    promise: "与 PyTorch 的结果逐位相同。",
    waiting: "排队中",
    working: "网络正在计算",
    sees: (side) => `网络看到的画面：${side}\u00a0×\u00a0${side}`,
    seesNot: "这张图片由工作进程自行裁剪。",
    noPreview: "浏览器无法显示这种格式。",
    remove: "移除",
    again: "重试",
    compare: "与 PyTorch 对照",
    comparing: "正在询问原版 PyTorch。首次需要启动，要等几秒钟。",
    ours: "isotorch",
    theirs: "PyTorch",
    equal: (n) => `全部 ${n} 个阶段逐位相同。`,
    equalSome: (n) => `可以比较的 ${n} 个阶段逐位相同。`,
    diverged: (stage, figures) => `从“${stage}”开始不同：${figures}。`,
    refusedBoth: "两边都拒绝了这张图片。",
    refusedOne: "只有一边接受了这张图片。",
    total: (ms) => `共 ${ms} 毫秒`,
    timings: {
      receive: "接收",
      wait: "等待",
      decode: "解码",
      preprocess: "缩放、裁剪、归一化",
      forward: "网络计算",
      rest: "传输",
    },
    stages: {
      decoded: "解码",
      resized: "缩放",
      cropped: "裁剪",
      toTensor: "转张量",
      normalized: "归一化",
      embedding: "特征向量",
      logits: "logits",
      percentages: "百分比",
      order: "排序",
      labels: "标签",
    },
    phases: {
      idle: "休眠",
      starting: "启动中",
      loading: "正在加载网络",
      ready: "就绪",
      busy: "工作中",
      "backing-off": "已退出，即将重启",
      open: "崩溃过多，暂停中",
      draining: "正在关闭",
      stopped: "已停止",
      failed: "无法启动",
      silent: "没有响应",
      unreachable: "服务器没有应答",
    },
    facts: {
      network: "网络",
      weights: "权重",
      sha256: "SHA-256",
      device: "设备",
      torch: "PyTorch",
      starts: "工作进程启动次数",
      queue: "排队、计算中",
      calls: "成功、失败",
    },
    threads: (device, n) => `${device}，${n} 线程`,
    errors: {
      INVALID_OPTION: "请求里有无效的参数。",
      INVALID_INPUT: "收到的内容不是图片。",
      ABORTED: "已取消。",
      DEADLINE_EXCEEDED: "等待超时。请稍后再试，或一次少发几张图片。",
      CLOSED: "服务器正在关闭。",
      QUEUE_FULL: "服务器正忙，请稍后再试。",
      INPUT_NOT_FOUND: "找不到这张图片。",
      INPUT_UNREADABLE: "图片无法读取。",
      INPUT_TOO_LARGE: "图片太大，请先缩小。",
      BAD_LIST: "图片列表无法读取。",
      UNSUPPORTED_FORMAT: "这不是可以读取的图片。请转换成 JPEG、PNG 或 WebP。",
      UNSUPPORTED_MODE: "不支持这种色彩模式。请先转换成 RGB。",
      DECODE_FAILED: "图片已损坏或不完整。请重新获取这个文件。",
      BAD_TENSOR: "张量的形状、类型或数值不对。",
      POISON_INPUT: "这张图片每次都使工作进程崩溃，请不要再发送。",
      OUTPUT_FAILED: "服务器的磁盘无法写入。",
      NON_FINITE_OUTPUT: "网络给出了 NaN 或无穷大。请检查权重文件。",
      ENVIRONMENT_NOT_FOUND: "服务器上没有找到可用的 Python 环境。",
      ENVIRONMENT_BROKEN: "服务器上的 Python 环境有问题。请在服务器上运行 npx isotorch doctor。",
      SETUP_FAILED: "服务器上的环境没有装好。",
      DEVICE_UNAVAILABLE: "服务器上没有所要求的设备。",
      WEIGHTS_NOT_FOUND: "服务器上没有权重文件。",
      DOWNLOAD_FAILED: "权重下载失败。",
      CHECKPOINT_CORRUPT: "服务器上的权重文件已损坏。",
      CHECKPOINT_MISMATCH: "服务器上的权重属于另一种网络。",
      CHECKPOINT_UNTRUSTED: "服务器上的权重文件没有经过校验。",
      BAD_LABELS: "服务器上的标签文件不对。",
      BAD_VOCABULARY: "服务器上的词表文件互不相符。",
      WORKER_START_FAILED: "工作进程无法启动。请在服务器上运行 npx isotorch doctor。",
      WORKER_DIED: "工作进程退出了，正在重启。请再试一次。",
      WORKER_ERROR: "工作进程出错了，详情在服务器的日志里。",
      OUT_OF_MEMORY: "设备内存不足。请稍后再试。",
      CIRCUIT_OPEN: "工作进程崩溃过多，暂时停用。请稍后再试。",
      PROTOCOL_ERROR: "服务器与工作进程的版本不一致。",
      REMOTE_UNREACHABLE: "这台服务器连接不到它背后的服务器。",
      REMOTE_REFUSED: "背后的服务器拒绝了请求。",
      REMOTE_MISMATCH: "背后的服务器运行的是另一种网络。",
      BAD_REQUEST: "请求的格式不对。",
      UNAUTHORIZED: "令牌不对，或没有给出令牌。",
      FORBIDDEN: "服务器不允许这个页面访问。",
      NOT_FOUND: "服务器没有这个地址。",
      METHOD_NOT_ALLOWED: "服务器不支持这种请求方法。",
      UNSUPPORTED_MEDIA_TYPE: "服务器不接受这种内容类型。",
      WRONG_HOST: "服务器不以这个主机名提供服务。",
      INTERNAL: "服务器内部出错，详情在它的日志里。",
      NOT_IMPLEMENTED: "服务器没有实现这个功能。",
      UNREACHABLE: "无法连接服务器。",
    },
  },
};

const STORED = "isotorch-language";
let language = localStorage.getItem(STORED) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!Object.hasOwn(WORDS, language)) language = "en";
const listeners = new Set();

/** The words of the chosen language. */
export function words() {
  return WORDS[language];
}

export function currentLanguage() {
  return language;
}

/** Switches, remembers the choice, and tells everybody who shows words. */
export function chooseLanguage(chosen) {
  language = chosen;
  localStorage.setItem(STORED, chosen);
  for (const listener of listeners) listener();
}

/** Calls `show` now and after every switch. */
export function withWords(show) {
  listeners.add(show);
  show();
  return () => listeners.delete(show);
}

/** Fills in the elements of the page that hold nothing but words. */
export function showStaticWords() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]"))
    element.textContent = words()[element.dataset.text];
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

/** How much a text looks like Chinese, by the characters that Chinese uses most. */

/** The thousand most frequent characters of simplified Chinese, 87 % of running text. */
const SIMPLIFIED = new Set(
  "一七万三上下不与专且世业东两严个中丰临为主举久么义之乎乐九也习乡书买乱了争事二于云互五亚些交产京亮亲" +
    "人亿什仅今介仍从他代令以们件价任份企伊众优会传伤伯似但位低住体何余作你使例供依侧便俄保信修倒候值假做" +
    "停像儿元兄充先光克免党入全八公六兰共关兴兵其具典养内再写军农冲决况冷准减几出击刀分切划列刘则刚创初判" +
    "利别到制刺刻前剑剧副力办功加务动助劳势包化北区医十千升半华协单卖南博占卫印危即却厂历压原去县参又及友" +
    "双反发取受变口古句另只叫召可台史右叶号司吃各合同名后向吗否吧含听吴吸告员呢周味呼命和咱品哈响哥哪唐商" +
    "啊善喜喝器四回因团园围固国图土在地场均坐块坚型城域基堂境墙增士声处备复夏外多夜够大天太夫央失头奇女她" +
    "好如妇妈始姑姓委威娘子字存孙季学孩宁它守安宋完宗官定宜宝实审客宣室宫害家容密富察对导封射将小少尔尚就" +
    "尼尽局层居届展属山岁岛岸州工左差己已巴市布师希帝带席帮常干平年并广庆序应底府度座庭康建开异式引弟张弹" +
    "强归当录形彩影往征待很律得微德心必志忙快念忽怀态怎怕思急性怪总恩息恶情惊想意感愿慢成我或战户房所手才" +
    "打执扩批找承技把投抗护报担拉招括拿持指按挥换据授掌排探接控推提支收改攻放政故效敌救教敢散数整文斗料断" +
    "斯新方施旁旅族无既日旧早时昌明易星春是显晚普景暗曲更曾最月有服望朝期木未本术朱机杀杂权李材村条来杨松" +
    "板极构林果枪架某查标树校样核根格案桥检植楚楼模次欢欧止正此步武死段殿母每毒比毕毛毫民气水永求汉江沉沙" +
    "没河油治沿法波注泽洋洞洪洲活派流测济海消深清渐温港游湖湾源满演激火灵炮点烈热然照熟爱父爷片版牌牙牛物" +
    "特状独献率玉王环现班球理甚生用田由甲电男画界留略病痛登白百的皇皮益监盘盛目直相省看真眼着督知短石矿研" +
    "破础确示礼社祖神票禁福离种科秘积称移程稳究空穿突立站竟章端笑笔第等筑答策简算管米类精系素索紧红约级纪" +
    "纳线练组细织终经结给绝统继续维编网罗罪置美群老考者而职联肉股育背胜胡能脑脚脸臣自至致航般船良色艺节花" +
    "苏若苦英范茶荆草药获菜营落著蒙藏虽血行街衣补表被装襄西要见观规视觉角解言警计认让训议记讲许论设证评识" +
    "诉词试诗话该语说请读谁调谈谷象负财责败货质贵费资赛走赶起超越足跟路身车转轮软轻载较辑输辖边达过迎运近" +
    "还这进远连述追退送适选逐通速造遇道遗那邦部都鄂配酒采里重量金钟钱铁银销错镇长门问间闻队防阳阵阶阿附际" +
    "陆陈降限院除险陵随难雄集雨雷需露青静非靠面革音顶项顺须顾顿预领题额风飞食饭馆首香马验骨高鱼鲜黄黑齐龙",
);

/** The same of traditional Chinese. */
const TRADITIONAL = new Set(
  "一七三上下不且世並中主久之乎九也乾亂了事二互五些亞交京亮人什今介仍他代令以件任份企伊伯似但佈位低住佔" +
    "何作你使來例供依便係俄保信修個們倒候值假做停側備傳傷僅像價億優元兄充先光克免兒入內全兩八公六共兵其具" +
    "典再冷出刀分切列初判別利到制刺刻則前剛副創劃劇劉劍力功加助動務勝勞勢包化北區十千升午半協南博印危即卻" +
    "原去參又及友反取受口古句另只叫召可史右司各合同名向否吧含吳吸告呢周味呼命和咱品哈員哥哪唐商啊問善喜喝" +
    "喫單嗎器嚴四回因固國圍園圖團土在地均坐型城域執基堂堅報場塊境增壓士夏外多夜夠大天太夫央失奇女她好如始" +
    "姑姓委威娘婦媽子字存季孩孫學它守安宋完宗官定宜客宣室宮害家容密富察實寧審寫寶封射將專對導小少尚就尼局" +
    "居屆展層屬山岸島州工左差己已巴市布希帝師席帶常幫平年幹幾序底府度座庭康廠廣建式引弟張強彈形彩影往待很" +
    "律後得從復微徵德心必志忙快念忽怎怕思急性怪恩息情想意愛感態慢慶應懷成我或戰戶房所手才打批找承技把投抗" +
    "拉招括拿持指按授掌排採探接控推提換揮擊擔據擴支收改攻放政故效救敗教敢散整敵數文料斯新斷方於施旁旅族既" +
    "日早昌明易星春是時晚普景暗曲更書曾最會月有服望朝期木未本朱李材村東板林果架某查校核根格案條植楊楚業極" +
    "概構槍樂樓標模樣樹橋機檢權次歐歡止正此步武歲歷歸死段殺殿母每毒比毛毫民氣水永求江決沉沒沙河油治沿況法" +
    "波注洋洞洪洲活派流海消深清減測港湖源準溫滿演漢漸澤激濟灣火炮烈無然照熟熱營爭爲父爺爾牆片版牌牛物特狀" +
    "獨獲獻率玉王班現球理環甚生產用田由甲男界留畢略畫異當病痛登發白百的皇皮益盛盡監盤目直相省看真眼着督知" +
    "短石研破確礎礦示社祕祖神票禁福禮科移程種稱積穩究空穿突立站竟章端笑第筆等答策算管節範築簡米精系紀約紅" +
    "納級素索細終組結絕給統經維網緊線編練縣總織繼續罪置罷羅美羣義習老考者而聞聯聲職聽肉股肯育背胡能腦腳臉" +
    "臣臨自至致臺與興舉舊航般船良色花若苦英茶草荊菜華萬落葉著蒙藏藝藥蘇蘭處號血衆行術街衛衝衣表被裏補裝製" +
    "襄西要見規視親覺觀角解言計訓記設許訴評詞試詩話該認語說誰調談請論講證識警議護讀變讓豐象負財貨責貴買費" +
    "資賣質賽走起超越趕足跟路身車軍軟較載輕輪輯輸轄轉辦農迎近述追退送逐這通速造連進遇遊運過道達遠適選遺還" +
    "邊那邦部都鄂鄉配酒醫里重量金銀銷錄錢錯鎮鐵長門開間關防阿附降限院陣除陳陵陸陽隊階際隨險雄集雖雙雜離難" +
    "雲電需露靈青靜非靠面革音響頂項順須預領頭題額願類顧顯風飛食飯養餘館首香馬驗驚體高鬥魚鮮麼黃黑點黨齊龍",
);

/** What is less frequent in running text, and frequent among names of what pictures show: animals, plants, food, things. */
const NAMED_SIMPLIFIED = new Set(
  "丝丹亭仓仙伞兔冰凸凹剪勺匙厕厨叉喷圾坝坦垃垫堡塑塔墓壶套姜孔寿尾岩巾帆帘帽幕床弓扇托披拍摩斑晴暴杏杯" +
    "枕枝枣枫柏柑柜柠柳柿栅栏桃桌桨桶梅梨梯棍棒棕棚椅椒椰榴樱橘橙橡檬毯污汤泉泡渍滩灯灰炉炸烤煎熊燕爪牡犀" +
    "犬狐狗狮狸狼猩猪猫猬猴猿獭獾玫玻琴瑰璃瓜瓶瓷疫痕盒碗稻窗竹笛筐筷箭箱篮篱籽粉粥糕糖紫纹绳绿缺罐羊羽翅" +
    "肠胎胶腐舟舰艇芋芒芽苔苹茄荷莓莲莺菇菊菠萄萝萨葡葱葵蒜蒲蓝蕉薯藤蘑虎虫虾蚁蚂蚊蚌蛇蛙蛛蛤蛾蜂蜓蜗蜘蜜" +
    "蜥蜴蜻蝇蝉蝎蝠蝴蝶螂螳螺蟑蟹衫衬袋袖袜裂裙裤褐豆豚豹貂贝踏郁酪针钉铜铝锁锅锈锤键锯镜陶陷雀雁雪雾霉霜" +
    "靴鞋饺饼驴驼骆骡鲈鲑鲤鲨鲸鳄鳗鸟鸡鸦鸭鸵鸽鹅鹉鹊鹤鹦鹰鹿麦鼓鼠龟",
);

/** The same of traditional Chinese. */
const NAMED_TRADITIONAL = new Set(
  "丹亭仙倉傘兔冰凸凹剪勺匙叉噴圾坦垃堡塑塔墊墓壩壺壽套孔尾岩巾帆帽幕床廁廚弓扇托披拍摩斑晴暴杏杯枕枝柏" +
    "柑柳柵柿桃桌桶梅梨梯棍棒棕棗棚椅椒椰楓榴槤槳橘橙橡檬檸櫃櫻欄毯污泉泡湯漬灘灰炸烤煎熊燈燕爐爪牡犀犬狐" +
    "狗狸狼猩猴猿獅獺獾玫玻琴瑰璃瓜瓶瓷疫痕盒碗稻窗竹笛筐筷箭箱簾籃籬籽粉粥糕糖紋紫絲綠繩缺罐羊羽翅胎腐腸" +
    "膠舟艇艦芋芒芽苔茄荷莓菇菊菠萄葡葵蒜蒲蓮蔥蕉薑薩薯藍藤蘋蘑蘿虎蚊蚌蛇蛙蛛蛤蛾蜂蜓蜘蜜蜥蜴蜻蝟蝠蝦蝴蝶" +
    "蝸螂螞螳螺蟑蟬蟲蟹蟻蠅蠍衫袋袖裂裙褐褲襪襯豆豚豬豹貂貓貝踏酪釘針銅鋁鋸錘鍋鍵鎖鏡鏽陶陷雀雁雞雪雷霜霧" +
    "靴鞋餃餅駝駱騾驢鬱鮭鯉鯊鯨鰻鱷鱸鳥鳳鴉鴕鴨鴿鵝鵡鵲鶯鶴鷹鸚鹿麥黴鼓鼠龜",
);

/** The two encodings that Chinese text has besides Unicode, by the names of the Encoding Standard. */
export type ChineseEncoding = "gb18030" | "big5";

/** Where an encoding has its characters, by lead bytes: its makers put the common ones first. */
interface Script {
  readonly frequent: ReadonlySet<string>;
  /** Level 1 of GB 2312 and of Big5: the characters that are taught. */
  readonly common: Range;
  /** Level 2: names of fish and of stones. What is in neither was added later, for completeness. */
  readonly second: Range;
  /** The lowest trail byte of these; GBK's later additions lie below. */
  readonly lowestTrail: number;
}

type Range = readonly [first: number, last: number];

const SCRIPTS: Readonly<Record<ChineseEncoding, Script>> = {
  gb18030: {
    frequent: new Set([...SIMPLIFIED, ...NAMED_SIMPLIFIED]),
    common: [0xb0, 0xd7],
    second: [0xd8, 0xf7],
    lowestTrail: 0xa1,
  },
  big5: {
    frequent: new Set([...TRADITIONAL, ...NAMED_TRADITIONAL]),
    common: [0xa4, 0xc6],
    second: [0xc9, 0xf9],
    lowestTrail: 0x40,
  },
};

/** Punctuation and wide Latin letters, in both encodings. */
const SIGNS: Range = [0xa1, 0xa3];

/**
 * What a character says for its being read rightly, as a logarithm of odds against bytes of another encoding, which are
 * frequent characters now and then by chance. Chosen on names of animals, things, countries and languages.
 */
const WEIGHTS = { frequent: 1.2, common: -0.5, second: -0.8, sign: 0, rare: -3.1 } as const;

/**
 * Odds of thirty to one, for which three different characters mostly suffice: an encoding this much likelier than the other
 * one is believed. On some thousand short lists of names none was believed wrongly.
 */
export const CERTAIN: number = Math.log(30);

/**
 * How much the bytes look like Chinese text in an encoding, as a logarithm of odds; each character counts once.
 *
 * @param bytes must be good in this encoding.
 * @returns above 0 where it is likelier text than something else; 0 for plain ASCII.
 */
export function likelihood(bytes: Uint8Array, encoding: ChineseEncoding): number {
  let sum = 0;
  for (const weight of weightsOf(bytes, encoding).values()) sum += weight;
  return sum;
}

function weightsOf(bytes: Uint8Array, encoding: ChineseEncoding): Map<number, number> {
  const script = SCRIPTS[encoding];
  const decoder = new TextDecoder(encoding);
  const weights = new Map<number, number>();
  for (let at = 0; at < bytes.length;) {
    const [lead = 0, trail = 0] = bytes.subarray(at, at + 2);
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    const isFourBytes = encoding === "gb18030" && trail < 0x40;
    const pair = lead * 256 + trail;
    if (!weights.has(pair)) {
      const character = isFourBytes ? "" : decoder.decode(bytes.subarray(at, at + 2));
      weights.set(pair, WEIGHTS[kindOf(character, [lead, trail], script)]);
    }
    at += isFourBytes ? 4 : 2;
  }
  return weights;
}

function kindOf(
  character: string,
  [lead, trail]: readonly [number, number],
  { frequent, common, second, lowestTrail }: Script,
): keyof typeof WEIGHTS {
  const isIn = ([first, last]: Range): boolean => lead >= first && lead <= last;
  if (frequent.has(character)) return "frequent";
  if (trail < lowestTrail) return "rare";
  if (isIn(SIGNS)) return "sign";
  return isIn(common) ? "common" : isIn(second) ? "second" : "rare";
}

/** Different characters, from which on it is no chance that all of them are Korean. */
const ENOUGH_KOREAN = 12;
/** Share of kana in Japanese text at least; Chinese has none. */
const FEW_KANA = 0.1;

/** Another language that the bytes are likely text of, though a Chinese encoding may have characters for them. */
export function neighbourOf(bytes: Uint8Array): "Korean (EUC-KR)" | "Japanese (EUC-JP)" | undefined {
  const korean = charactersOf(bytes, "euc-kr");
  if (korean.size >= ENOUGH_KOREAN && [...korean].every((character) => /[\uAC00-\uD7A3]/.test(character)))
    return "Korean (EUC-KR)";
  const japanese = charactersOf(bytes, "euc-jp");
  const kana = [...japanese].filter((character) => /[\u3041-\u30FF]/.test(character));
  const isJapanese = kana.length > FEW_KANA * japanese.size || moreKnown(japanese, bytes);
  return isJapanese ? "Japanese (EUC-JP)" : undefined;
}

/** Whether more of the characters are frequent ones than of those that a Chinese encoding has for the same bytes. */
function moreKnown(characters: ReadonlySet<string>, bytes: Uint8Array): boolean {
  const { gb18030, big5 } = SCRIPTS;
  // Japanese writes some characters as the one, and some as the other.
  const known = knownOf(
    characters,
    (character) => gb18030.frequent.has(character) || big5.frequent.has(character),
  );
  return (["gb18030", "big5"] as const).every(
    (encoding) =>
      known >
      knownOf(charactersOf(bytes, encoding), (character) => SCRIPTS[encoding].frequent.has(character)),
  );
}

function knownOf(characters: ReadonlySet<string>, isKnown: (character: string) => boolean): number {
  return [...characters].filter(isKnown).length;
}

/** The different characters beyond ASCII; none where the bytes are not good in this encoding. */
function charactersOf(bytes: Uint8Array, encoding: string): Set<string> {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return new Set(text.match(/[\u{80}-\u{10FFFF}]/gu));
  } catch {
    return new Set();
  }
}
